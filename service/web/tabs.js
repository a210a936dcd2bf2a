/** The tabs at the top, by mouse and by arrow keys; the address says which is open. */

import { byId } from "./dom.js"

const PANELS = ["write", "read", "inside", "live"]

export class Tabs {
	constructor(onChange) {
		this.onChange = onChange
	}

	start() {
		for (const [n, panel] of PANELS.entries()) {
			const tab = byId(`tab-${panel}`)
			tab.onclick = () => (location.hash = panel)
			tab.onkeydown = ({ key }) => {
				const step = { ArrowRight: 1, ArrowLeft: -1 }[key]
				if (!step) return
				location.hash = PANELS.at((n + step) % PANELS.length)
				this.#show().focus()
			}
		}
		addEventListener("hashchange", () => this.#show())
		this.#show()
	}

	#show() {
		const wanted = location.hash.slice(1)
		const open = PANELS.includes(wanted) ? wanted : PANELS[0]
		for (const panel of PANELS) {
			byId(panel).hidden = panel !== open
			byId(`tab-${panel}`).ariaSelected = String(panel === open)
			byId(`tab-${panel}`).tabIndex = panel === open ? 0 : -1
		}
		document.body.dataset.panel = open
		this.onChange(open)
		return byId(`tab-${open}`)
	}
}
