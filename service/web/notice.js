/** What happened, and what to do: one line at the top, and a quiet one for screen readers. */

import { byId, el } from "./dom.js"
import { has, t } from "./i18n.js"

/** Of a wait that is shown; 0: none is. */
let countdown = 0

export function show(words, action = null) {
	endCountdown()
	const notice = byId("notice")
	const close = el("button", { class: "quiet", "aria-label": t("close"), text: "×", on: { click: hide } })
	const children = [el("span", { text: words })]
	if (action) {
		const run = () => {
			hide()
			action.run()
		}
		children.push(el("button", { text: action.label, on: { click: run } }))
	}
	notice.replaceChildren(...children, close)
	notice.hidden = false
}

export function hide() {
	endCountdown()
	byId("notice").hidden = true
}

/** What was in the way is not any more. */
export function hideWaiting() {
	if (countdown) hide()
}

function endCountdown() {
	clearInterval(countdown)
	countdown = 0
}

/** Said by screen readers when they have time. */
export function say(words) {
	byId("status").textContent = words
}

export function wordsFor(error) {
	const key = `error.${error.code}`
	if (has(key)) return t(key, { message: error.message })
	return error.message || String(error)
}

export function showError(error, action = null) {
	if (error?.name === "AbortError") return
	show(wordsFor(error), action)
}

/** Do it, and tell what is in the way. */
export async function attempt(action) {
	try {
		await action()
	} catch (error) {
		showError(error)
	}
}

/** What is in the way, and for how long; it goes by itself. */
export function showWaiting(error, waitS) {
	let left = Math.ceil(waitS)
	const tell = () => t("waiting", { cause: wordsFor(error), seconds: Math.max(0, left) })
	show(tell())
	const words = byId("notice").firstElementChild
	// A live region would read out each second.
	words.setAttribute("aria-live", "off")
	countdown = setInterval(() => {
		left -= 1
		words.textContent = tell()
	}, 1000)
}
