/** Text that streams: over a connection that breaks, too. docs/serving.md, "Going on". */

import { ApiError, lostConnection } from "./api.js"

const FIRST_PAUSE_S = 0.5
const LONGEST_PAUSE_S = 4

/**
 * Asks for a text and follows it to its end, whose event it gives. When the connection breaks or the
 * server is gone, asks again behind the last event (`Last-Event-ID`): the text goes on without a gap
 * and without a repeat. A session's turn needs a `name` (`Idempotency-Key`): so it is had once.
 * `onBroken` comes before a text that is asked for from its beginning; it may give a last event.
 */
export async function follow(api, path, body, { name, signal, onEvent, onWaiting, onBroken }) {
	const headers = name ? { "idempotency-key": name } : {}
	let pauseS = FIRST_PAUSE_S
	for (let isBroken = false; ; isBroken = true) {
		try {
			const ended = isBroken && (await onBroken?.())
			if (ended) return ended
			const response = await api.send("POST", path, { ...body, stream: true }, { headers, signal })
			for await (const { id, data } of events(response)) {
				if (data.error) throw new ApiError(500, data.error)
				if (id && !onBroken) headers["last-event-id"] = id
				pauseS = FIRST_PAUSE_S
				onEvent(data)
				if (data.usage) return data
			}
			throw lostConnection()
		} catch (error) {
			const cause = error instanceof ApiError || signal.aborted ? error : lostConnection()
			if (signal.aborted || !cause.passes) throw cause
			const waitS = cause.retryAfterS || pauseS
			onWaiting(cause, waitS)
			await pause(waitS, signal)
			pauseS = Math.min(2 * pauseS, LONGEST_PAUSE_S)
		}
	}
}

/** The events of an answer (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export async function* events(response) {
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
	let rest = ""
	try {
		for (;;) {
			const { done, value } = await reader.read()
			if (done) return
			const blocks = (rest + value).split("\n\n")
			rest = blocks.pop()
			for (const block of blocks) {
				const fields = new Map(block.split("\n").map(splitField))
				if (fields.has("data")) yield { id: fields.get("id") ?? "", data: JSON.parse(fields.get("data")) }
			}
		}
	} finally {
		reader.cancel().catch(() => {})
	}
}

/** A name for a turn that nobody else has. */
export function newName() {
	// randomUUID is not there on plain HTTP from another machine.
	return Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-")
}

/** One that survives JSON. */
export function newSeed() {
	const [high, low] = crypto.getRandomValues(new Uint32Array(2))
	return (high % 2 ** 21) * 2 ** 32 + low
}

export function pause(seconds, signal) {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(resolve, seconds * 1000)
		signal?.addEventListener("abort", () => {
			clearTimeout(timer)
			reject(signal.reason)
		})
	})
}

function splitField(line) {
	const colon = line.indexOf(": ")
	return [line.slice(0, colon), line.slice(colon + 2)]
}
