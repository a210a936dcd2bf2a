/**
 * A text whose every token can be asked about: shaded by surprisal, walked by mouse and keyboard.
 *
 * Tokens come in bursts and are drawn once a frame. They lie in blocks that end at line ends; the
 * browser lays out only blocks that are in sight (`content-visibility`), so long texts stay smooth.
 */

import { el } from "./dom.js"
import { t } from "./i18n.js"
import { shadeOf, surprisal, visible } from "./tokens.js"

const BLOCK_CHARACTERS = 600
const TOKENS_A_FRAME = 1500

export class TextView {
	tokens = []
	/** Bits from one shade to the next. */
	step = 1.5
	/** How a token is shaded, -5 to 5. */
	level = (token) => shadeOf(token, this.step)
	words = spoken
	#spans = []
	#block = null
	#blockLength = 0
	#frame = 0
	#cursor = -1
	#anchor = -1

	/** `onPeek`: pointed at, or walked to; `onPick`: clicked, or Enter; `onDrawn`: after each frame. */
	constructor(container, { onPeek, onPick, onLeave, onDrawn }) {
		this.container = container
		this.onPeek = onPeek
		this.onPick = onPick
		this.onDrawn = onDrawn
		container.onpointerover = (event) => this.#pointed(event)
		container.onpointerleave = () => onLeave?.()
		container.onclick = (event) => this.#clicked(event)
		container.onkeydown = (event) => this.#keyed(event)
		container.onfocus = () => this.#entered()
	}

	get length() {
		return this.tokens.length
	}

	get text() {
		return this.tokens.map((token) => token.text).join("")
	}

	/** Characters from token `index` to the end, in code points. */
	charactersFrom(index) {
		return this.tokens.slice(index).reduce((total, token) => total + token.length, 0)
	}

	append(tokens) {
		for (const token of tokens) this.tokens.push(token)
		this.#frame ||= requestAnimationFrame(() => this.#draw())
	}

	replace(tokens) {
		this.cut(0)
		this.append(tokens)
	}

	cut(index) {
		this.tokens.length = index
		this.#forgetSpansFrom(index)
	}

	/** Forget the last `number` code points. */
	cutCharacters(number) {
		let index = this.length
		for (let left = number; left > 0 && index > 0; index -= 1) left -= this.tokens[index - 1].length
		this.cut(index)
	}

	/** The same tokens with other figures: draw them anew. */
	refigure(tokens) {
		this.tokens = tokens
		this.#spans.forEach((_, index) => this.#shade(index))
	}

	/** Tokens that are selected wholly; null: nothing is, and []: something else is. */
	get selected() {
		const selection = getSelection()
		if (selection.isCollapsed) return null
		if (!this.container.contains(selection.anchorNode)) return []
		const range = selection.getRangeAt(0)
		const isIn = ({ firstChild: text }) => text && range.comparePoint(text, 0) === 0 && range.comparePoint(text, text.length) === 0
		return [...this.#spans.keys()].filter((index) => isIn(this.#spans[index]))
	}

	/** Put the cursor on a token, and the focus, if it is in the text. */
	moveTo(index, { focus = true } = {}) {
		this.#drawAll()
		const at = Math.max(0, Math.min(index, this.#spans.length - 1))
		const [old, span] = [this.#spans[this.#cursor], this.#spans[at]]
		if (old) for (const name of ["tabindex", "role", "aria-label"]) old.removeAttribute(name)
		old?.classList.remove("cursor")
		this.#cursor = at
		if (!span) return
		this.container.tabIndex = -1
		span.tabIndex = 0
		span.setAttribute("role", "button")
		span.setAttribute("aria-label", this.words(this.tokens[at], at))
		span.classList.add("cursor")
		span.scrollIntoView({ block: "nearest" })
		if (!focus) return
		span.focus({ preventScroll: true })
		this.onPeek(at, span)
	}

	spanAt(index) {
		this.#drawAll()
		return this.#spans[index]
	}

	#draw(most = TOKENS_A_FRAME) {
		this.#frame = 0
		const from = this.#spans.length
		const until = Math.min(this.tokens.length, from + most)
		for (let index = from; index < until; index += 1) this.#drawOne(index)
		if (until < this.tokens.length) this.#frame = requestAnimationFrame(() => this.#draw())
		this.onDrawn?.()
	}

	#drawAll() {
		if (this.#spans.length < this.tokens.length) {
			cancelAnimationFrame(this.#frame)
			this.#draw(Infinity)
		}
	}

	#drawOne(index) {
		const token = this.tokens[index]
		if (!this.#block) {
			this.#block = this.container.appendChild(el("div", { class: "block" }))
			this.#blockLength = 0
		}
		const span = el("span", { text: token.text, class: classOf(token) })
		span.index = index
		this.#spans.push(span)
		this.#shade(index)
		this.#block.append(span)
		this.#blockLength += token.length
		if (this.#blockLength >= BLOCK_CHARACTERS && token.text.endsWith("\n")) this.#block = null
	}

	#shade(index) {
		const { dataset } = this.#spans[index]
		const level = this.level(this.tokens[index], index)
		if (level === null) delete dataset.s
		else dataset.s = String(level)
	}

	#forgetSpansFrom(index) {
		for (const span of this.#spans.splice(index)) span.remove()
		for (const block of [...this.container.children]) if (!block.firstChild) block.remove()
		const last = this.container.lastElementChild
		this.#block = last
		this.#blockLength = last ? last.textContent.length : 0
		this.#cursor = Math.min(this.#cursor, index - 1)
		if (this.#cursor < 0) this.container.tabIndex = 0
		else this.moveTo(this.#cursor, { focus: false })
	}

	/** By keyboard: a pointer has a place of its own. */
	#entered() {
		if (this.#spans.length && this.container.matches(":focus-visible")) this.moveTo(this.#cursor)
	}

	#pointed(event) {
		const index = event.target.index
		if (event.pointerType === "mouse" && index !== undefined) this.onPeek(index, event.target)
	}

	#clicked(event) {
		const index = event.target.index
		if (index === undefined || !getSelection().isCollapsed) return
		this.moveTo(index)
		this.onPick(index, event.target)
	}

	#keyed(event) {
		const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }
		const { key, shiftKey } = event
		const from = this.#cursor
		if (key in moves) this.moveTo(this.#cursor + moves[key])
		else if (key === "ArrowUp" || key === "ArrowDown") this.#moveLine(key === "ArrowUp" ? -1 : 1)
		else if ((key === "Enter" || key === " ") && this.#cursor >= 0) {
			this.onPick(this.#cursor, this.#spans[this.#cursor])
		} else return
		event.preventDefault()
		if (key.length > 1 && key !== "Enter") this.#select(shiftKey ? from : null)
	}

	/** With Shift, from where it began; without, nothing. */
	#select(from) {
		const selection = getSelection()
		if (from === null || !this.#spans[from]) return selection.removeAllRanges()
		this.#anchor = selection.isCollapsed ? from : this.#anchor
		const [first, last] = [this.#anchor, this.#cursor].sort((a, b) => a - b)
		return selection.setBaseAndExtent(this.#spans[first], 0, this.#spans[last], 1)
	}

	/** To the nearest token of the line above or below. */
	#moveLine(direction) {
		const here = this.#spans[this.#cursor]?.getBoundingClientRect()
		if (!here) return this.moveTo(0)
		let best = this.#cursor
		let line = null
		for (let i = this.#cursor + direction; this.#spans[i]; i += direction) {
			const { left, top } = this.#spans[i].getBoundingClientRect()
			if (Math.abs(top - here.top) < 2) continue
			line ??= top
			if (Math.abs(top - line) > 2) break
			best = i
			if (direction < 0 ? left <= here.left : left >= here.left) break
		}
		return this.moveTo(best)
	}
}

function classOf({ text, isWritten }) {
	return `tok${isWritten ? "" : " read"}${text.startsWith("\n") ? " end" : ""}`
}

function spoken(token) {
	const bits = surprisal(token)
	const shown = visible(token.text)
	if (bits === null) return t("token.unknown", { token: shown })
	const percent = percentOf(Math.exp(token.logprob))
	return t("token.spoken", { token: shown, percent, bits: bits.toFixed(1) })
}

export function percentOf(p) {
	if (p >= 0.1) return `${(100 * p).toFixed(0)} %`
	return p >= 0.001 ? `${(100 * p).toFixed(1)} %` : "< 0.1 %"
}
