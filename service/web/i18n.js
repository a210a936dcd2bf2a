/** Words of the page, in the language of the person. */

import { EN } from "./words_en.js";
import { ZH } from "./words_zh.js";

const LANGUAGES = { en: EN, zh: ZH };
const KEPT = "lstm-serve.language";

let language = firstLanguage();

/** @returns {"en" | "zh"} */
export function currentLanguage() {
  return language;
}

/** @param {"en" | "zh"} wanted */
export function setLanguage(wanted) {
  language = wanted;
  localStorage.setItem(KEPT, wanted);
  translate(document);
}

/**
 * The words for `key`, with `{name}` filled in.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const words = LANGUAGES[language][key] ?? EN[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** Whether there are words for `key`. */
export function has(key) {
  return key in EN;
}

/** A number as the language writes it. */
export function number(value, digits = 0) {
  return value.toLocaleString(language, { maximumFractionDigits: digits });
}

/** Puts the words into the page: `data-t` is the text, `data-t-NAME` an attribute. */
export function translate(root) {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of root.querySelectorAll("[data-t]")) {
    element.textContent = t(element.dataset.t);
  }
  for (const name of ["placeholder", "aria-label", "title"]) {
    for (const element of root.querySelectorAll(`[data-t-${name}]`)) {
      element.setAttribute(name, t(element.getAttribute(`data-t-${name}`)));
    }
  }
}

function firstLanguage() {
  const kept = localStorage.getItem(KEPT);
  if (kept && kept in LANGUAGES) return kept;
  return navigator.language.startsWith("zh") ? "zh" : "en";
}
