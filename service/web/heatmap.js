/** Activations over a text as a picture: a row for each, a column for each token; and in words. */

import { el } from "./dom.js"
import { number, t } from "./i18n.js"
import { table } from "./table.js"

const MOST_LABELS = 24
const MOST_TOLD = 12
const TOKEN_PIXELS = 3

/** Each row is `{label, scale, values}`; `label` says what the picture shows. */
export function heatmap(rows, label, onPoint) {
	const length = rows[0].values.length
	const canvas = paint(rows, length)
	canvas.setAttribute("aria-label", label)
	canvas.onpointermove = ({ offsetX, offsetY }) => {
		const at = (offset, size, most) => Math.max(0, Math.min(most - 1, Math.floor((offset / size) * most)))
		onPoint(at(offsetX, canvas.clientWidth, length), rows[at(offsetY, canvas.clientHeight, rows.length)])
	}
	const named = rows.length > MOST_LABELS ? [rows[0], rows.at(-1)] : rows
	const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => el("span", { text: number(Math.round(part * length)) }))
	const wide = el("div", {}, canvas, el("p", { class: "ticks" }, ...ticks))
	wide.style.minWidth = `${TOKEN_PIXELS * length}px`
	const names = el("div", { class: "names" }, ...named.map((row) => el("span", { text: row.label })))
	return [
		el("div", { class: "heat" }, names, el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": label }, wide)),
		el("p", { class: "hint", text: t("in.axis") }),
		el("details", {}, el("summary", { text: t("in.words") }), told(rows)),
	]
}

/** A pixel for each value; what is near the middle of its scale lets the paper through. */
function paint(rows, length) {
	const canvas = el("canvas", { width: length, height: rows.length, role: "img" })
	canvas.style.height = `${Math.min(24 * rows.length, Math.max(300, rows.length))}px`
	const style = getComputedStyle(document.documentElement)
	const [warm, cold] = ["--glow", "--cold"].map((name) => style.getPropertyValue(name).split(" ").map(Number))
	const context = canvas.getContext("2d")
	const pixels = context.createImageData(length, rows.length)
	rows.forEach(({ scale, values }, row) => values.forEach((value, n) => {
		const at = scale.at(value)
		const place = 4 * (row * length + n)
		pixels.data.set(at < 0 ? cold : warm, place)
		pixels.data[place + 3] = 255 * Math.abs(at)
	}))
	context.putImageData(pixels, 0, 0)
	return canvas
}

function told(rows) {
	const most = rows.map(summary).sort((a, b) => b.spread - a.spread).slice(0, MOST_TOLD)
	return table(["in.row", "in.least", "in.mean", "in.most"], most.map(({ label, figures }) => [label, ...figures.map((each) => number(each, 2))]))
}

function summary({ label, scale, values }) {
	const mean = values.reduce((total, value) => total + value, 0) / values.length
	const spread = values.reduce((total, value) => total + Math.abs(scale.at(value) - scale.at(mean)), 0)
	const [least, most] = [Math.min, Math.max].map((of) => values.reduce((a, b) => of(a, b)))
	return { label, spread, figures: [least, mean, most] }
}
