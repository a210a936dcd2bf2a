/** Several ways to go on at once, of which one is kept. */

import { byId, el } from "./dom.js"
import { t } from "./i18n.js"
import { hideWaiting, showError, showWaiting } from "./notice.js"
import { takePrompt } from "./state.js"
import { follow, newName } from "./stream.js"

const NUMBER = 3

export class Variants {
	#stopping = new AbortController()
	#ids = []

	constructor(panel) {
		this.panel = panel
		this.container = byId("variants")
	}

	/** From where the text is, or from the prompt. */
	async run() {
		const { panel } = this
		await panel.rest()
		await this.drop()
		if (panel.isOver) panel.clear()
		const prompt = takePrompt()
		try {
			const fields = panel.session && prompt ? { prompt } : {}
			await panel.begin(prompt)
			const { sessions } = await panel.api.post(`sessions/${panel.session.id}/fork`, { n: NUMBER })
			panel.book.add(sessions, panel.book.begins(panel.session.id))
			this.#ids = sessions.map(({ id }) => id)
			this.#stopping = new AbortController()
			this.container.hidden = false
			this.container.replaceChildren(...sessions.map((session) => this.#card(session, fields)))
			this.container.scrollIntoView({ block: "nearest" })
		} catch (error) {
			showError(error)
		}
	}

	/** Forget them all but `kept`. */
	async drop(kept = null) {
		this.#stopping.abort()
		const forgotten = this.#ids.filter((id) => id !== kept)
		this.#ids = []
		this.container.replaceChildren()
		this.container.hidden = true
		// One that is being written is busy for some milliseconds more; to delete it ends it.
		await Promise.all(forgotten.map((id) => this.panel.book.delete(id).catch(() => {})))
	}

	#card(session, fields) {
		const text = el("p", { class: "text", tabindex: 0 })
		const keep = el("button", { class: "primary", text: t("keep"), disabled: true, on: { click: () => this.#keep(session.id) } })
		const body = { ...this.panel.controls.fields, ...fields, session: session.id, max_tokens: this.panel.maxTokens }
		this.#write(body, text).then((isDone) => (keep.disabled = !isDone))
		return el("article", { class: "variant" }, text, keep)
	}

	async #write(body, text) {
		if (body.prompt) text.append(el("span", { class: "read", text: body.prompt }))
		const last = text.appendChild(document.createTextNode(""))
		try {
			await follow(this.panel.api, "generate", body, {
				name: newName(),
				signal: this.#stopping.signal,
				onEvent: (event) => {
					hideWaiting()
					last.appendData(event.text)
				},
				onWaiting: showWaiting,
			})
			return true
		} catch (error) {
			showError(error)
			return false
		}
	}

	async #keep(id) {
		await this.drop(id)
		await this.panel.open(id)
	}
}
