/** The panel that shows the server at work; it looks only while somebody looks at it. */

import { byId, el, on } from "./dom.js"
import { number, t } from "./i18n.js"
import { hideWaiting, showError, showWaiting } from "./notice.js"
import { follow } from "./stream.js"

const EVERY_MS = 1000
const DRAW_EVERY_MS = 100
/** Browsers open six connections to a host: 64 texts come over four, 16 over each. */
const REQUESTS = 4
const TEXTS_EACH = 16
const LENGTH = 600
const TAIL = 90
const GAUGES = ["speed", "running", "waiting", "fill", "memory", "cache", "sessions"]

export class LivePanel {
	#then = null
	#thenS = 0
	#timer = 0
	#stopping = null

	constructor(api, models, controls) {
		Object.assign(this, { api, models, controls })
		this.build()
		on("crowd", "click", () => this.crowd())
		on("crowd-stop", "click", () => this.#stopping?.abort())
		document.addEventListener("visibilitychange", () => this.watch())
	}

	build() {
		byId("gauges").replaceChildren(
			...GAUGES.map((name) => el("div", {}, el("dt", { text: t(`gauge.${name}`) }), el("dd", { id: `gauge-${name}`, text: "–" }))),
		)
	}

	/** Look, or stop looking: by whether the panel can be seen. */
	watch() {
		clearInterval(this.#timer)
		this.#then = null
		if (byId("live").hidden || document.hidden) return
		this.#look()
		this.#timer = setInterval(() => this.#look(), EVERY_MS)
	}

	async #look() {
		try {
			const answer = await this.api.send("GET", "metrics")
			this.#show(totals(await answer.text()))
		} catch (error) {
			// Metrics are off, or another key is needed for them: the probe tells the rest.
			if (error.status === 404 || error.status === 403) await this.#probe().catch(() => {})
		}
	}

	#show(now) {
		const nowS = performance.now() / 1000
		const of = (name) => now.get(`lstm_serve_${name}`) ?? 0
		set("running", number(of("requests_running")))
		set("waiting", number(of("requests_waiting")))
		set("cache", megabytes(of("cache_bytes")))
		set("sessions", number(of("sessions")))
		set("memory", megabytes(now.get("process_resident_memory_bytes") ?? 0))
		if (this.#then) {
			const written = of("written_tokens_total") - (this.#then.get("lstm_serve_written_tokens_total") ?? 0)
			set("speed", number(written / (nowS - this.#thenS)))
			const rows = meanBetween(this.#then, now, "lstm_serve_burst_rows")
			set("fill", rows === null ? "–" : number(rows, 1))
		}
		[this.#then, this.#thenS] = [now, nowS]
	}

	async #probe() {
		const { models } = await this.api.get("health/ready")
		const sum = (name) => Object.values(models).reduce((total, model) => total + model[name], 0)
		set("running", number(sum("running")))
		set("waiting", number(sum("waiting")))
		set("cache", megabytes(sum("cache_bytes")))
	}

	/** 64 texts at once, each with a seed of its own. */
	async crowd() {
		this.#stopping?.abort()
		const stopping = (this.#stopping = new AbortController())
		const cells = Array.from({ length: REQUESTS * TEXTS_EACH }, () => el("p"))
		byId("crowd-texts").replaceChildren(...cells)
		this.#running(true)
		const startedS = performance.now() / 1000
		let numTokens = 0
		const texts = cells.map(() => "")
		const draw = seldom((n) => (cells[n].textContent = texts[n].slice(-TAIL)))
		const ask = (request) => {
			const first = request * TEXTS_EACH
			const body = { ...this.controls.fields, prompt: this.models.examplesOf()[0] ?? "", model: this.models.chosen.id, n: TEXTS_EACH, max_tokens: LENGTH }
			const onEvent = (event) => {
				hideWaiting()
				const n = first + event.index
				texts[n] += event.text
				numTokens += event.num_tokens
				draw(n)
				if (event.finish_reason) cells[n].classList.add("done")
			}
			return follow(this.api, "generate", body, { signal: stopping.signal, onEvent, onWaiting: showWaiting })
		}
		try {
			await Promise.all(Array.from({ length: REQUESTS }, (_, request) => ask(request)))
			const seconds = performance.now() / 1000 - startedS
			byId("crowd-hint").textContent = t("crowd.done", { number: numTokens, seconds: number(seconds, 1), speed: number(numTokens / seconds) })
		} catch (error) {
			showError(error)
		} finally {
			stopping.abort() // one of the four failed: the others need not go on
			if (this.#stopping === stopping) this.#running(false)
		}
	}

	#running(isRunning) {
		byId("crowd-stop").hidden = !isRunning
		if (isRunning) byId("crowd-hint").textContent = t("crowd.hint")
	}
}

/** `draw(n)` some times a second for each n that has changed: the reader needs its time for reading. */
function seldom(draw) {
	const changed = new Set()
	return (n) => {
		if (!changed.size) {
			setTimeout(() => {
				for (const each of changed) draw(each)
				changed.clear()
			}, DRAW_EVERY_MS)
		}
		changed.add(n)
	}
}

function set(name, value) {
	byId(`gauge-${name}`).textContent = value
}

function megabytes(bytes) {
	return `${number(bytes / 1e6, bytes < 1e7 ? 1 : 0)} MB`
}

/** From the text of GET /metrics (Prometheus): sums over all labels, by name. */
function totals(text) {
	const found = new Map()
	for (const line of text.split("\n")) {
		const match = /^([a-z_:]+)(?:\{.*\})? ([-+.\deE]+)$/.exec(line)
		if (match) found.set(match[1], (found.get(match[1]) ?? 0) + Number(match[2]))
	}
	return found
}

/** What a histogram's mean was between two looks; null if nothing was counted. */
function meanBetween(then, now, name) {
	const grown = (suffix) => (now.get(name + suffix) ?? 0) - (then.get(name + suffix) ?? 0)
	const count = grown("_count")
	return count > 0 ? grown("_sum") / count : null
}
