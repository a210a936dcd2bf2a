/** The next token's probabilities before and after the sampling controls, as bars. */

import { after, before } from "./distribution.js"
import { byId, el } from "./dom.js"
import { t } from "./i18n.js"
import { percentOf } from "./textview.js"
import { visible } from "./tokens.js"

const CONTEXT = 12

/** What could stand at token `index`, and after what. */
export function showNext(tokens, index, sampling, vocabularySize) {
	const top = tokens[index]?.top ?? []
	const context = tokens.slice(Math.max(0, index - CONTEXT), Math.max(0, index))
	const words = context.map(({ text }) => text).join("").replaceAll("\n", "↵")
	byId("chart-of").textContent = top.length ? t("chart.of", { words }) : t("chart.none")
	drawChart(byId("chart"), top, sampling, vocabularySize)
}

/** Rows stay and only their widths change, so that they glide. */
function drawChart(container, top, sampling, vocabularySize) {
	container.hidden = top.length === 0
	if (!top.length) return
	const logprobs = top.map((each) => each.logprob)
	const was = before(logprobs)
	const is = after(logprobs, sampling, vocabularySize)
	const labels = [...top.map((each) => visible(each.token)), t("chart.others")]
	const most = Math.max(...was.probabilities, was.others, ...is.probabilities, is.others)
	const rows = rowsOf(container, labels.length)
	labels.forEach((label, n) => {
		const [p, q] = [was.probabilities[n] ?? was.others, is.probabilities[n] ?? is.others]
		const [name, bars, figure] = rows[n].children
		name.textContent = label
		bars.children[0].style.width = `${(100 * p) / most}%`
		bars.children[1].style.width = `${(100 * q) / most}%`
		figure.textContent = q === 0 ? "—" : percentOf(q)
		rows[n].classList.toggle("gone", q === 0)
	})
	const best = labels.slice(0, 3).map((label, n) => `${label} ${percentOf(is.probabilities[n] ?? 0)}`)
	container.setAttribute("role", "img")
	container.setAttribute("aria-label", t("chart.label", { best: best.join(", ") }))
}

function rowsOf(container, wanted) {
	while (container.children.length > wanted) container.lastElementChild.remove()
	while (container.children.length < wanted) {
		const bars = el("span", { class: "bars" }, el("i", { class: "before" }), el("i", { class: "after" }))
		container.append(el("div", { class: "bar-row" }, el("b"), bars, el("span", { class: "figure" })))
	}
	return container.children
}
