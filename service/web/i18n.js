/** Words of the page, in the language of the person. */

import { WORDS } from "./words.js"

const LANGUAGES = ["en", "zh"]
const KEPT = "lstm-serve.language"

let language = firstLanguage()

export function currentLanguage() {
	return language
}

export function setLanguage(wanted) {
	language = wanted
	localStorage.setItem(KEPT, wanted)
}

/** The words for `key`, with `{name}` filled in; numbers with two digits at most. */
export function t(key, values = {}) {
	const words = WORDS[key]?.[LANGUAGES.indexOf(language)] ?? key
	const shown = (value) => (typeof value === "number" ? number(value, 2) : value ?? "")
	return words.replace(/\{(\w+)\}/g, (_, name) => shown(values[name]))
}

export function has(key) {
	return key in WORDS
}

export function number(value, digits = 0) {
	return value.toLocaleString(language, { maximumFractionDigits: digits })
}

/** Puts the words into the page: `data-t` is the text, `data-t-NAME` an attribute. */
export function translate() {
	document.documentElement.lang = language === "zh" ? "zh-CN" : "en"
	for (const element of document.querySelectorAll("[data-t]")) {
		element.textContent = t(element.dataset.t)
	}
	for (const name of ["placeholder", "aria-label", "title"]) {
		for (const element of document.querySelectorAll(`[data-t-${name}]`)) {
			element.setAttribute(name, t(element.getAttribute(`data-t-${name}`)))
		}
	}
}

function firstLanguage() {
	const kept = localStorage.getItem(KEPT)
	if (LANGUAGES.includes(kept)) return kept
	return navigator.language.startsWith("zh") ? "zh" : "en"
}
