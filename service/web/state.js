/** What the panel shows of its state: buttons, hints, and the figures of the text. */

import { byId } from "./dom.js"
import { meanSurprisal } from "./figures.js"
import { number, t } from "./i18n.js"

export function showBusy(isBusy) {
	byId("text").setAttribute("aria-busy", String(isBusy))
}

export function showWriting(isWriting) {
	const hadFocus = document.activeElement === byId(isWriting ? "go" : "stop")
	byId("go").hidden = isWriting
	byId("stop").hidden = !isWriting
	byId("text").classList.toggle("writing", isWriting)
	if (hadFocus) byId(isWriting ? "stop" : "go").focus({ preventScroll: true })
}

/** `perSecond` is how fast the text is written; 0: it is not. */
export function showState(tokens, { isOpen, isOver, perSecond }) {
	byId("intro").hidden = tokens.length > 0 || isOpen
	byId("again").disabled = !isOpen
	byId("go").textContent = t(isOver ? "go.new" : isOpen ? "go.on" : "go")
	byId("prompt").placeholder = t(isOpen && !isOver ? "prompt.more" : "prompt.placeholder")
	byId("end").textContent = isOver ? "∎" : ""
	byId("figures").textContent = figures(tokens, perSecond).join(" · ")
}

/** What the person has written; the field is empty from now on. */
export function takePrompt() {
	const area = byId("prompt")
	const prompt = area.value
	area.value = ""
	return prompt
}

function figures(tokens, perSecond) {
	if (!tokens.length) return []
	const words = [t("figures.length", { number: tokens.length })]
	const mean = meanSurprisal(tokens)
	if (mean !== null) words.push(t("figures.bits", { bits: mean }))
	if (perSecond) words.push(t("figures.speed", { number: number(perSecond) }))
	return words
}
