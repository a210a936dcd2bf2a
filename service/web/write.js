/** The panel where texts are written: what each button does. */

import { showNext } from "./chart.js"
import { byId } from "./dom.js"
import { askAt, scoreAll } from "./figures.js"
import { t } from "./i18n.js"
import { hideWaiting, say, show, showError } from "./notice.js"
import { showBusy, showState, showWriting, takePrompt } from "./state.js"
import { newSeed } from "./stream.js"
import { TextView } from "./textview.js"
import { codePoints, lay } from "./tokens.js"
import { Writer } from "./writer.js"

const MOST_SCORED_NOW = 4_000

export class WritePanel {
	session = null
	/** Whether the model has said that the text is over. */
	isOver = false
	/** The turn that runs, or ran last. */
	#turn = Promise.resolve()
	#isAtEnd = true
	#telling = null

	/** `onChange`: the sessions, or which is open, have changed. */
	constructor(parts) {
		Object.assign(this, parts)
		this.view = new TextView(byId("text"), {
			onPeek: (index, span) => this.#peeked(index, span),
			onPick: (index, span) => this.#picked(index, span),
			onLeave: () => this.peek.leave(),
			onDrawn: () => this.#follow(),
		})
		new IntersectionObserver(([entry]) => (this.#isAtEnd = entry.isIntersecting)).observe(byId("end"))
	}

	get model() {
		return this.models.chosen
	}

	get maxTokens() {
		return Number(byId("max-tokens").value)
	}

	/** Write: from the prompt, or on from where the text is. */
	async go() {
		await this.rest()
		if (this.isOver) this.clear()
		await this.#whatever(async () => {
			const prompt = takePrompt()
			const fields = this.session && prompt ? { prompt } : {}
			await this.begin(prompt)
			if (fields.prompt) this.view.append(lay(prompt))
			await this.#run({ ...this.controls.fields, ...fields, session: this.session.id })
		})
	}

	/** Make the session that the text lives in, if there is none. */
	async begin(prompt) {
		if (this.session) return
		this.view.append(lay(prompt))
		const session = await this.api.post("sessions", { prompt, model: this.model.id })
		this.#adopt(session, prompt)
		this.changed()
	}

	/** The last turn again, with another seed. */
	async again() {
		await this.rest()
		await this.#whatever(async () => {
			const last = (await this.book.log(this.session.id)).at(-1)
			const isWritten = Boolean(last?.text)
			if (isWritten) this.view.cutCharacters(codePoints(last.text))
			const fields = { ...this.controls.fields, seed: newSeed() }
			if (!isWritten) fields.session = this.session.id
			await this.#run(fields, isWritten)
		})
	}

	/** Go on from token `index` with `text` in its place, in a branch of its own. */
	async choose(index, text) {
		await this.rest()
		await this.#whatever(async () => {
			const fork = await this.#fork(index)
			this.view.append(lay(text, [], false))
			await this.api.post(`sessions/${fork.id}/append`, { text })
			await this.#run({ ...this.controls.fields, session: fork.id })
		})
	}

	async fork(index) {
		await this.rest()
		await this.#whatever(async () => {
			await this.#fork(index)
			await this.refresh()
			say(t("said.forked"))
		})
	}

	async rewind(index) {
		await this.rest()
		await this.#whatever(async () => {
			const characters = -this.view.charactersFrom(index)
			await this.api.post(`sessions/${this.session.id}/rewind`, { characters })
			this.view.cut(index)
			this.#over(false)
			await this.refresh()
			say(t("said.rewound"))
		})
	}

	/** Show a session, and go on with the turn that the page was left in. */
	async open(id) {
		await this.rest()
		await this.#whatever(async () => {
			const session = await this.book.session(id)
			const turns = await this.book.log(id)
			this.models.choose(session.model)
			this.#adopt(session)
			this.view.replace(
				turns.flatMap(({ prompt, text }) => [...lay(prompt ?? ""), ...lay(text ?? "", [], true)]),
			)
			if (turns.some((turn) => turn.text === null)) show(t("texts_not_kept"))
			this.#over(turns.at(-1)?.finish_reason === "eos")
			this.onChange()
			if (!(await this.#goOnWithInterrupted())) await this.figures()
		}, false)
	}

	/** Nothing yet: the next text is a new one. */
	clear() {
		this.session = null
		this.book.open = null
		this.view.cut(0)
		this.#over(false)
		this.changed()
		this.onChange()
	}

	/** Stop what runs; what is shown of it stays. */
	async rest() {
		this.peek.hide()
		this.writer.stop()
		await this.#turn
	}

	/** Ask the model about what it has read, and about what was written before the page was loaded. */
	async figures(most) {
		await scoreAll(this.api, this.view, this.session.model, this.models.unknownId, most)
		this.changed()
	}

	async refresh() {
		if (this.session) this.session = await this.book.session(this.session.id)
		this.changed()
		this.onChange()
	}

	chart(index = this.view.length - 1) {
		showNext(this.view.tokens, index, this.controls.sampling, this.model.vocabulary_size)
	}

	async #run(fields, isAgain = false) {
		const { session } = this
		const body = { ...fields, max_tokens: this.maxTokens }
		await this.#write({ session: session.id, version: session.version, isAgain, body })
	}

	async #write(turn) {
		this.#over(false)
		this.#isAtEnd = true
		showWriting(true)
		const startedS = performance.now() / 1000
		let numTokens = 0
		const writing = this.writer.write(turn, (event) => {
			hideWaiting()
			numTokens += event.num_tokens
			this.view.append(lay(event.text, event.logprobs, true))
			this.changed(numTokens / Math.max(0.05, performance.now() / 1000 - startedS))
		})
		this.#turn = writing.then(() => {}, () => {})
		try {
			const reason = await writing
			this.#over(reason === "eos")
			say(t("said.written", { number: numTokens }))
		} finally {
			showWriting(false)
		}
		await this.refresh()
		await this.figures(MOST_SCORED_NOW)
	}

	async #goOnWithInterrupted() {
		const turn = Writer.interrupted()
		if (turn?.session !== this.session.id) return false
		if (turn.version !== this.session.version) {
			Writer.forgetInterrupted()
			return false
		}
		if (turn.isAgain) {
			const last = (await this.book.log(turn.session)).at(-1)
			this.view.cutCharacters(codePoints(last?.text ?? ""))
		}
		this.view.append(lay(turn.body.prompt ?? ""))
		await this.#write(turn)
		return true
	}

	/** A branch that ends before token `index`, which is open from now on. */
	async #fork(index) {
		const characters = this.view.charactersFrom(index)
		const body = characters ? { at: { characters: -characters } } : {}
		const { sessions } = await this.api.post(`sessions/${this.session.id}/fork`, body)
		this.#adopt(sessions[0], this.book.begins(this.session.id))
		this.view.cut(index)
		this.#over(false)
		return sessions[0]
	}

	#adopt(session, begins = "") {
		this.session = session
		this.book.add([session], begins)
		this.book.open = session.id
	}

	#peeked(index, span) {
		this.peek.glance(index, span, this.view.tokens[index])
		this.chart(index)
	}

	async #picked(index, span) {
		const token = this.view.tokens[index]
		if (!token.top.length && !this.writer.isWriting) {
			await this.#whatever(() => askAt(this.api, this.session.id, this.view, index))
			this.chart(index)
		}
		this.peek.pin(index, span, token, this.models.specialIds)
	}

	/** Do it, and tell what is in the way; then show what the server has kept. */
	async #whatever(action, canReopen = true) {
		showBusy(true)
		try {
			await action()
		} catch (error) {
			const isGone = error.code === "session_gone" || error.code === "session_not_found"
			if (isGone && this.session) this.#gone(error)
			else {
				showError(error)
				if (canReopen && this.session) await this.open(this.session.id)
			}
		} finally {
			showBusy(false)
		}
	}

	/** The server keeps the text no longer, but it is here: a new session can read it. */
	#gone(error) {
		this.book.forget(this.session.id)
		const text = this.view.text
		const goOn = async () => {
			this.clear()
			await this.#whatever(() => this.begin(text))
			await this.go()
		}
		if (!text) this.clear()
		showError(error, text ? { label: t("error.session.new"), run: goOn } : null)
	}

	#over(isOver) {
		this.isOver = isOver
		this.changed()
	}

	/** The text has changed, or its figures: once a frame is enough to tell. */
	changed(perSecond = 0) {
		this.#telling ??= requestAnimationFrame(() => {
			this.#telling = null
			showState(this.view.tokens, { isOpen: this.session !== null, isOver: this.isOver, perSecond })
			if (!this.peek.isPinned) this.chart()
		})
	}

	/** Keep the end in sight while text comes, unless the person has scrolled away. */
	#follow() {
		if (this.writer.isWriting && this.#isAtEnd) byId("end").scrollIntoView({ block: "end" })
	}
}
