/** The page: its parts put together, and what they tell each other. */

import { Api } from "./api.js"
import { Book } from "./book.js"
import { compare } from "./compare.js"
import { Controls } from "./controls.js"
import { byId, el, on } from "./dom.js"
import { exportCapsule, exportText, exportTranscript, importCapsule } from "./files.js"
import { currentLanguage, number, setLanguage, t, translate } from "./i18n.js"
import { insidePanel } from "./inside.js"
import { LivePanel } from "./live.js"
import { Models } from "./models.js"
import { attempt, showError, showWaiting } from "./notice.js"
import { Peek } from "./peek.js"
import { ReadPanel } from "./read.js"
import { Tabs } from "./tabs.js"
import { shadeStep } from "./tokens.js"
import { Tree } from "./tree.js"
import { Variants } from "./variants.js"
import { WritePanel } from "./write.js"
import { Writer } from "./writer.js"
import { askForKey, askForName } from "./asking.js"

const LENGTHS = [100, 400, 2000, 10_000]
const PREFERRED_LENGTH = 400

const api = new Api(askForKey)
const book = new Book(api)
const models = new Models(api)
const controls = new Controls(byId("controls"), () => panel.chart())
const peek = new Peek(byId("peek"), {
	onChoose: (index, text) => panel.choose(index, text),
	onFork: (index) => panel.fork(index),
	onRewind: (index) => panel.rewind(index),
})
const writer = new Writer(api, showWaiting)
const panel = new WritePanel({ api, book, models, controls, peek, writer, onChange: () => tree.draw() })
const variants = new Variants(panel)
const reading = new ReadPanel(api, models)
const inside = insidePanel(api, models, peek, () => panel.view.text)
const live = new LivePanel(api, models, controls)
const tabs = new Tabs(() => live.watch())
const tree = new Tree(byId("tree"), book, {
	onOpen: (id) => variants.drop().then(() => panel.open(id)),
	onTurn: (_, characters) => panel.view.moveTo(indexAt(characters)),
	onSelect: showTreeActions,
	onKey: (id, key) => (key === "F2" ? rename(id) : remove(id)),
})

models.onChosen = (model) => {
	controls.use(model)
	panel.view.step = shadeStep(model.vocabulary_size)
	showExamples()
	panel.chart()
}

function showExamples() {
	const buttons = models.examplesOf().map((prompt) => {
		const start = () => {
			byId("prompt").value = prompt
			panel.go()
		}
		return el("button", { class: "example", text: prompt.trim().replaceAll("\n", " / ") || t("example.nothing"), on: { click: start } })
	})
	byId("examples").replaceChildren(...buttons)
}

function showTreeActions() {
	const id = tree.selected
	const button = (key, run) => el("button", { class: "quiet", text: t(key), on: { click: () => attempt(run) } })
	const ofOne = [
		button("tree.rename", () => rename(id)),
		button("tree.compare", () => compare(api, book, id)),
		button("tree.delete", () => remove(id)),
		button("export.text", () => exportText(book, id)),
		button("export.transcript", () => exportTranscript(book, id)),
		button("export.capsule", () => exportCapsule(api, book, id)),
	]
	const bring = button("import", () => byId("import").click())
	byId("tree-actions").replaceChildren(...(id ? ofOne : []), bring)
	byId("tree-hint").hidden = book.sessions.size > 0
}

async function rename(id) {
	const name = await askForName(book.name(id))
	if (name === null) return
	book.rename(id, name)
	await tree.draw()
}

async function remove(id) {
	if (id === panel.session?.id) {
		await panel.rest()
		panel.clear()
	}
	await book.delete(id)
	await tree.draw()
}

async function bringCapsule() {
	const input = byId("import")
	const [file] = input.files
	input.value = ""
	if (!file) return
	const session = await importCapsule(api, file)
	book.add([session], file.name.replace(/\.capsule$/, ""))
	await panel.open(session.id)
}

function indexAt(characters) {
	let left = characters
	const index = panel.view.tokens.findIndex(({ text }) => (left -= text.length) <= 0)
	return index < 0 ? panel.view.length - 1 : index
}

function build() {
	translate()
	const [button, other] = [byId("language"), currentLanguage() === "en" ? "zh" : "en"]
	button.textContent = other === "zh" ? "中文" : "English"
	button.lang = other === "zh" ? "zh-CN" : "en"
	controls.build()
	live.build()
	const chosen = byId("max-tokens").value || String(PREFERRED_LENGTH)
	byId("max-tokens").replaceChildren(...LENGTHS.map((length) => el("option", { value: length, text: number(length) })))
	byId("max-tokens").value = chosen
	if (!models.chosen) return
	reading.build()
	inside.build()
	models.showCard()
	showExamples()
	panel.changed()
	tree.draw().catch(showError)
}

function connect() {
	on("composer", "submit", (event) => {
		event.preventDefault()
		variants.drop()
		panel.go()
	})
	on("stop", "click", () => panel.rest())
	on("again", "click", () => panel.again())
	on("several", "click", () => variants.run())
	on("new", "click", async () => {
		await panel.rest()
		await variants.drop()
		panel.clear()
		byId("prompt").focus()
	})
	on("model", "change", (event) => attempt(async () => {
		await panel.rest()
		if (panel.session) panel.clear()
		await models.use(event.target.value)
	}))
	on("shades", "change", (event) => byId("text").classList.toggle("plain", !event.target.checked))
	on("language", "click", () => {
		setLanguage(currentLanguage() === "en" ? "zh" : "en")
		build()
	})
	on("import", "change", () => attempt(bringCapsule))
	document.addEventListener("keydown", (event) => {
		if (event.key === "Escape") peek.leave()
		if (event.key === "Escape" && writer.isWriting) panel.rest()
		if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target === byId("prompt")) {
			byId("composer").requestSubmit()
		}
	})
}

async function start() {
	build()
	connect()
	tabs.start()
	await models.load()
	models.fill(byId("model"))
	byId("model").value = models.chosen.id
	reading.build()
	inside.build()
	byId("docs-link").hidden = api.hasKey // a link cannot send a key
	await attempt(() => book.refresh())
	if (book.open) await panel.open(book.open)
	else panel.clear()
	document.body.dataset.ready = "true"
}

start().catch(showError)
