/** A diverging scale: cold below its middle, warm above it. */

import { el } from "./dom.js"
import { number } from "./i18n.js"

const SHADES = 5
/** Gates that are sigmoids: from 0, shut, to 1, open. */
const OPENS = /\.[ifozr]$/

export class Scale {
	constructor(name, values) {
		const opens = OPENS.test(name)
		this.middle = opens ? 0.5 : 0
		this.reach = opens ? 0.5 : values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6)
	}

	at(value) {
		return Math.max(-1, Math.min(1, (value - this.middle) / this.reach))
	}

	/** -5 to 5: how a token is shaded. */
	level(value) {
		return Math.round(SHADES * this.at(value)) || 0 // no -0
	}

	/** What the shades mean: numbers at both ends and in the middle. */
	legend() {
		const shades = Array.from({ length: 2 * SHADES + 1 }, (_, n) => el("i", { class: "tok", data: { s: n - SHADES } }))
		const [least, middle, most] = [-1, 0, 1].map((part) => number(this.middle + part * this.reach, 2))
		return [least, ...shades.slice(0, SHADES), middle, ...shades.slice(SHADES + 1), most]
	}
}
