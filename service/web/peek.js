/** What could have stood in a token's place: a glance beside the pointer, and more on a click. */

import { el } from "./dom.js"
import { number, t } from "./i18n.js"
import { percentOf } from "./textview.js"
import { surprisal, visible } from "./tokens.js"

const GLANCE = 5

export class Peek {
	#index = -1
	#isPinned = false
	#span = null

	/** Each of the actions is given the token's index; `onChoose` also what to go on with. */
	constructor(element, actions) {
		this.element = element
		this.actions = actions
		element.onkeydown = (event) => this.#keyed(event)
		document.addEventListener("pointerdown", (event) => {
			if (!element.contains(event.target)) this.hide()
		})
	}

	get isPinned() {
		return this.#isPinned
	}

	get index() {
		return this.#index
	}

	/** Show a few, while the pointer is there. */
	glance(index, span, token) {
		if (this.#isPinned || token.logprob === null) return
		this.#show(index, span, token, false, new Set())
	}

	/** Show all of them, to choose from; not the `special` ones, which are no text. */
	pin(index, span, token, special) {
		this.#show(index, span, token, true, special)
		this.element.querySelector("button")?.focus({ preventScroll: true })
	}

	note(index, span, words) {
		this.#at(index, span, false, el("p", { text: words }))
	}

	hide() {
		const hadFocus = this.element.contains(document.activeElement)
		this.element.hidden = true
		this.#isPinned = false
		this.#span?.classList.remove("asked")
		if (hadFocus) this.#span?.focus({ preventScroll: true })
	}

	leave() {
		if (!this.#isPinned) this.hide()
	}

	#show(index, span, token, isPinned, special) {
		const children = [this.#head(token), this.#choices(index, token, isPinned, special)]
		if (isPinned) children.push(this.#actions(index))
		this.#at(index, span, isPinned, ...children)
		if (isPinned) this.element.setAttribute("aria-label", t("peek.label", { token: visible(token.text) }))
	}

	#at(index, span, isPinned, ...children) {
		this.#span?.classList.remove("asked")
		this.#index = index
		this.#span = span
		this.#isPinned = isPinned
		span.classList.add("asked")
		const { element } = this
		element.className = isPinned ? "pinned" : ""
		if (isPinned) element.setAttribute("role", "dialog")
		else for (const name of ["role", "aria-label"]) element.removeAttribute(name)
		element.replaceChildren(...children)
		element.hidden = false
		place(element, span)
	}

	#head(token) {
		const bits = surprisal(token)
		const words = bits === null
			? t("peek.unknown")
			: t("peek.head", { percent: percentOf(Math.exp(token.logprob)), bits: number(bits, 1) })
		return el("p", {}, el("b", { text: visible(token.text) }), " ", words)
	}

	#choices(index, token, isPinned, special) {
		const list = el("ul")
		const shown = token.top.slice(0, isPinned ? token.top.length : GLANCE)
		const most = Math.exp(shown[0]?.logprob ?? 0)
		for (const { id, token: text, logprob } of shown) {
			const p = Math.exp(logprob)
			const isHere = text === token.text
			const bar = el("i")
			bar.style.width = `${(100 * p) / most}%`
			const content = [el("b", { text: visible(text) }), el("span", { class: "bars" }, bar), el("span", { class: "figure", text: percentOf(p) })]
			const choose = { click: () => this.#do("onChoose", index, text) }
			const canChoose = isPinned && !isHere && !special.has(id)
			const label = t("peek.choose", { token: visible(text), percent: percentOf(p) })
			const row = canChoose
				? el("button", { "aria-label": label, on: choose }, ...content)
				: el("div", {}, ...content)
			list.append(el("li", { class: isHere ? "here" : "" }, row))
		}
		return list
	}

	#actions(index) {
		const button = (name, action) => el("button", { class: "quiet", text: t(name), on: { click: () => this.#do(action, index) } })
		return el("div", { class: "actions" }, button("peek.fork", "onFork"), button("peek.rewind", "onRewind"))
	}

	#do(action, ...values) {
		this.hide()
		this.actions[action](...values)
	}

	#keyed(event) {
		if (event.key === "Escape") this.hide()
		const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
		if (!step) return
		const buttons = [...this.element.querySelectorAll("button")]
		const at = buttons.indexOf(document.activeElement)
		buttons[(at + step + buttons.length) % buttons.length].focus()
		event.preventDefault()
	}
}

/** Below the token, or above it where there is no room. */
function place(element, span) {
	const here = span.getBoundingClientRect()
	const { offsetWidth: width, offsetHeight: height } = element
	const left = Math.max(8, Math.min(here.left - 16, document.documentElement.clientWidth - width - 8))
	const below = here.bottom + 8
	const top = below + height > innerHeight && here.top > height + 16 ? here.top - height - 8 : below
	element.style.left = `${left + scrollX}px`
	element.style.top = `${top + scrollY}px`
}
