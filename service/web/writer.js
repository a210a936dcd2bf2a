/**
 * A turn of a session from its first event to its commit, whatever happens on the way: stopped, broken,
 * or left by a page that is loaded anew (docs/decisions/026).
 */

import { ApiError } from "./api.js"
import { follow, newName, pause } from "./stream.js"

const RUNNING = "lstm-serve.turn"

/** A turn: `session`, its `version` before, whether it takes the place of the last one (`isAgain`), and the request's `body`. */
export class Writer {
	#stopping = null

	constructor(api, onWaiting) {
		this.api = api
		this.onWaiting = onWaiting
	}

	get isWriting() {
		return this.#stopping !== null
	}

	/** What is shown stays, and the turn ends there. */
	stop() {
		this.#stopping?.abort()
	}

	/** The turn that this page was in when it was left, if it was. */
	static interrupted() {
		return JSON.parse(sessionStorage.getItem(RUNNING) ?? "null")
	}

	static forgetInterrupted() {
		sessionStorage.removeItem(RUNNING)
	}

	/** Gives why it ended. */
	async write(turn, onEvent) {
		this.#stopping = new AbortController()
		try {
			return await this.#write(turn, onEvent)
		} finally {
			this.#stopping = null
			Writer.forgetInterrupted()
		}
	}

	async #write(turn, onEvent) {
		const { signal } = this.#stopping
		for (let now = turn; ; ) {
			sessionStorage.setItem(RUNNING, JSON.stringify(now))
			const shown = new Shown(onEvent)
			try {
				const last = await follow(this.api, pathOf(now), { logprobs: 10, ...now.body }, {
					signal,
					onEvent: (event) => shown.add(event),
					onWaiting: this.onWaiting,
					onBroken: () => this.#ended(now, shown),
				})
				if (last.finish_reason !== "parked") return last.finish_reason
				now = restOf(now, last.usage.completion_tokens)
			} catch (error) {
				if (!signal.aborted) throw error
				await this.#commit(now, shown.numTokens)
				return "stopped"
			}
		}
	}

	/** The last event of a turn that broke, if it was committed all the same. */
	async #ended({ session, version }, shown) {
		shown.again()
		if ((await this.api.get(`sessions/${session}`)).version === version) return null
		const { turns } = await this.api.get(`sessions/${session}/log?after=${version}&limit=1`)
		const text = turns[0]?.text
		if (!text?.startsWith(shown.text)) {
			const message = "somebody else has had a turn of this session"
			throw new ApiError(412, { code: "session_changed", message, param: null })
		}
		shown.add({ text, num_tokens: turns[0].num_written })
		return { finish_reason: turns[0].finish_reason }
	}

	/** The same turn, as long as what was shown. */
	async #commit(turn, numTokens) {
		if (!numTokens) return
		const headers = { "idempotency-key": newName() }
		const body = { ...turn.body, max_tokens: numTokens }
		for (let waitS = 0.1; ; waitS = Math.min(2 * waitS, 4)) {
			try {
				await this.api.post(pathOf(turn), body, { headers })
				return
			} catch (error) {
				if (!error.passes) throw error
				if (error.code !== "session_busy") this.onWaiting(error, error.retryAfterS || waitS)
				await pause(waitS) // the turn that was left is over in some milliseconds
			}
		}
	}
}

/** What a person has of a turn; of a turn that begins anew, only what is new is passed on. */
class Shown {
	text = ""
	numTokens = 0
	numFigures = 0
	#now = { characters: 0, tokens: 0, figures: 0 }

	constructor(onNew) {
		this.onNew = onNew
	}

	again() {
		this.#now = { characters: 0, tokens: 0, figures: 0 }
	}

	add(event) {
		const now = this.#now
		const figures = event.logprobs ?? []
		const text = event.text.slice(Math.max(0, this.text.length - now.characters))
		const logprobs = figures.slice(Math.max(0, this.numFigures - now.figures))
		const numTokens = event.num_tokens - Math.max(0, this.numTokens - now.tokens)
		now.characters += event.text.length
		now.tokens += event.num_tokens
		now.figures += figures.length
		this.text += text
		this.numTokens = Math.max(this.numTokens, now.tokens)
		this.numFigures = Math.max(this.numFigures, now.figures)
		if (text) this.onNew({ ...event, text, logprobs, num_tokens: Math.max(0, numTokens) })
	}
}

function pathOf({ isAgain, session }) {
	return isAgain ? `sessions/${session}/regenerate` : "generate"
}

/** The server went down in the middle, and has kept what it had shown. */
function restOf(turn, numWritten) {
	const { prompt: _, ...options } = turn.body
	return {
		...turn,
		version: turn.version + 1,
		isAgain: false,
		body: { ...options, session: turn.session, max_tokens: turn.body.max_tokens - numWritten },
	}
}
