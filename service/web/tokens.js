/** Tokens with their figures, laid over the text that they are of. */

/**
 * A token: `text`, its `length` in code points (the server counts in them), natural `logprob` (null:
 * not known), `top`, the most probable ones there, and whether it `isWritten` by the model or read.
 */
const NATS = Math.log(2)

export function surprisal(token) {
	return token.logprob === null ? null : -token.logprob / NATS
}

/** 0 (expected) to 5 (a surprise), `step` bits from one to the next: how a token is shaded; null: its figures are not known. */
export function shadeOf(token, step) {
	const bits = surprisal(token)
	return bits === null ? null : Math.min(5, Math.floor(bits / step))
}

/** Bits from one shade to the next: the more tokens there are, the more bits the usual one has. */
export function shadeStep(vocabularySize) {
	return Math.log2(vocabularySize) / 4
}

/** Lays figures over a text; without them where the two do not agree. `unknownId` is the sign for what was never seen. */
export function lay(text, figures = [], isWritten = false, unknownId = null) {
	const tokens = []
	let at = 0
	for (const { id, token, logprob, top } of figures) {
		const isUnknown = id === unknownId
		const part = isUnknown ? String.fromCodePoint(text.codePointAt(at) ?? 0) : token
		if (!text.startsWith(part, at)) break // a sign that is no text, such as the end
		if (!part) continue
		tokens.push({ text: part, length: codePoints(part), logprob, top: top ?? [], isWritten })
		at += part.length
	}
	for (const part of text.slice(at)) {
		tokens.push({ text: part, length: 1, logprob: null, top: [], isWritten })
	}
	return tokens
}

/** What to show of a character that cannot be seen. */
export function visible(text) {
	return text.replaceAll("\n", "↵").replaceAll(" ", "␣").replaceAll("\t", "⇥")
}

/** The server counts in code points, JavaScript in UTF-16. */
export function codePoints(text) {
	let length = 0
	for (const _ of text) length += 1
	return length
}
