/** Probabilities of text that was not written just now: the server is asked about them. */

import { lay, surprisal } from "./tokens.js"

const MOST_SCORED = 16_000
const SCORED_WITH_ALL = 4_000

/** Ask about every token of a text that has no figures, by reading it once more, unless it is longer than `most`. */
export async function scoreAll(api, view, model, unknownId, most = MOST_SCORED) {
	if (view.length > most || view.tokens.every((token) => token.logprob !== null)) return
	const text = view.text
	const logprobs = view.length > SCORED_WITH_ALL ? 3 : 10
	const { scores } = await api.post("score", { texts: [text], model, logprobs })
	if (view.text !== text) return // it has gone on meanwhile, and will be asked about again
	const laid = lay(text, scores[0].tokens, false, unknownId)
	if (laid.length !== view.length) return
	view.refigure(laid.map((token, n) => ({ ...token, isWritten: view.tokens[n].isWritten })))
}

/** Ask what could stand at one token: a branch that ends before it is asked, and forgotten. */
export async function askAt(api, session, view, index) {
	const token = view.tokens[index]
	const at = { characters: -view.charactersFrom(index) }
	const { sessions: [branch] } = await api.post(`sessions/${session}/fork`, { at })
	const asked = { session: branch.id, max_tokens: 1, logprobs: 10, temperature: 0 }
	const { logprobs } = await api.post("generate", asked)
	await api.json("DELETE", `sessions/${branch.id}`)
	token.top = logprobs[0]?.top ?? []
	token.logprob ??= token.top.find((each) => each.token === token.text)?.logprob ?? null
}

export function meanSurprisal(tokens) {
	let total = 0
	let number = 0
	for (const token of tokens) {
		const bits = surprisal(token)
		if (bits === null) continue
		total += bits
		number += 1
	}
	return number ? total / number : null
}
