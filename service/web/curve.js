/** Surprisal over the length of a text: a line for each model, smoothed; a place can be pointed at. */

import { svg } from "./dom.js"
import { number } from "./i18n.js"

const WIDTH = 800
const HEIGHT = 160
const LEFT = 30
const BOTTOM = 18
const POINTS = 400

/** `lines` are `{label, bits}`, one value for each character, or null; `label` says what the picture shows. */
export function curve(lines, label, onPick) {
	const length = Math.max(...lines.map(({ bits }) => bits.length))
	const window = Math.max(1, Math.round(length / 120))
	const smooth = lines.map(({ bits }) => points(bits, window))
	const most = Math.max(4, ...smooth.flat().map(([, y]) => y))
	const x = (character) => LEFT + (character / Math.max(1, length - 1)) * (WIDTH - LEFT - 4)
	const y = (bits) => HEIGHT - BOTTOM - (bits / most) * (HEIGHT - BOTTOM - 8)
	const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", role: "img", "aria-label": label })
	for (const bits of ticks(most)) {
		picture.append(
			svg("line", { x1: LEFT, x2: WIDTH, y1: y(bits), y2: y(bits), class: "grid" }),
			svg("text", { x: LEFT - 6, y: y(bits) + 4, "text-anchor": "end", text: number(bits) }),
		)
	}
	for (const part of [0, 0.25, 0.5, 0.75, 1]) {
		const at = Math.round(part * length)
		const anchor = part === 1 ? "end" : "middle"
		picture.append(svg("text", { x: x(Math.min(at, length - 1)), y: HEIGHT - 4, "text-anchor": anchor, text: number(at) }))
	}
	smooth.forEach((line, n) => {
		const path = line.map(([at, bits], i) => `${i ? "L" : "M"}${x(at).toFixed(1)} ${y(bits).toFixed(1)}`).join("")
		if (n === 0) picture.append(svg("path", { d: `${path}L${x(line.at(-1)?.[0] ?? 0)} ${y(0)}L${x(0)} ${y(0)}Z`, class: "area" }))
		picture.append(svg("path", { d: path, class: `line line-${n}` }))
	})
	const needle = svg("line", { y1: 0, y2: HEIGHT - BOTTOM, class: "needle" })
	picture.append(needle)
	picture.onpointermove = (event) => {
		const box = picture.getBoundingClientRect()
		const across = (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - 4)
		const character = Math.round(Math.max(0, Math.min(1, across)) * (length - 1))
		needle.setAttribute("x1", x(character))
		needle.setAttribute("x2", x(character))
		onPick(character)
	}
	return picture
}

function points(bits, window) {
	const totals = [0]
	const numbers = [0]
	for (const value of bits) {
		totals.push(totals.at(-1) + (value ?? 0))
		numbers.push(numbers.at(-1) + (value === null ? 0 : 1))
	}
	const step = Math.max(1, Math.floor(bits.length / POINTS))
	const found = []
	for (let at = 0; at < bits.length; at += step) {
		const from = Math.max(0, at - window)
		const until = Math.min(bits.length, at + window + 1)
		const count = numbers[until] - numbers[from]
		if (count) found.push([at, (totals[until] - totals[from]) / count])
	}
	return found
}

function ticks(most) {
	const step = most > 12 ? 5 : 2
	return Array.from({ length: Math.floor(most / step) + 1 }, (_, n) => n * step)
}
