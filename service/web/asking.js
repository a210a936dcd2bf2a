/** Questions to the person, as dialogs. */

import { byId } from "./dom.js";
import { t } from "./i18n.js";

let keysAsked = 0;

/** @returns {Promise<string>} the API key; it is written down nowhere */
export function askForKey() {
  const dialog = /** @type {HTMLDialogElement} */ (byId("key-dialog"));
  const input = /** @type {HTMLInputElement} */ (byId("key"));
  byId("key-hint").textContent = t(keysAsked ? "key.wrong" : "key.hint");
  keysAsked += 1;
  return new Promise((resolve) => {
    // Without a key there is nothing to go back to: the question stays.
    dialog.oncancel = (event) => event.preventDefault();
    dialog.onclose = () => {
      const key = input.value.trim();
      input.value = "";
      resolve(key);
    };
    dialog.showModal();
  });
}

/** @returns {Promise<string | null>} null if there shall be no change */
export function askForName(now) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("name-dialog"));
  const input = /** @type {HTMLInputElement} */ (byId("name"));
  input.value = now;
  dialog.returnValue = "";
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "ok" ? input.value.trim() : null);
    dialog.showModal();
    input.select();
  });
}
