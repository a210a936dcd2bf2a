/** The panel that looks inside of a model: a text in the colours of a unit, and what the unit is for. */

import { inspect } from "./activations.js";
import { byId, el } from "./dom.js";
import { heatmap } from "./heatmap.js";
import { hold } from "./holding.js";
import { number, t } from "./i18n.js";
import { say, showError } from "./notice.js";
import { Scale } from "./scale.js";
import { TextView } from "./textview.js";
import { visible } from "./tokens.js";
import { Units } from "./units.js";

const EXAMPLE_LENGTH = 1500;
const EXAMPLE_TEXTS = 40;
/** Values that a server tells at once, unless it is told otherwise: --max-inspect-values. */
const MOST_VALUES = 2 ** 20;
/** Units of the bundled models that turned out to stand for something: docs/inside.md. */
const KNOWN = {
  shakespeare: { "layer0.c.378": "in.column", "layer1.c.24": "in.name", "layer0.f.44": "in.start" },
  songci: { "layer1.c.472": "in.lines" },
  names: { "layer0.c.181": "in.letters" },
};

export class InsidePanel {
  /** @type {any} of the text that is looked at: model, text, tokens, starts, states, available */
  #read = null;
  /** @type {{name: string, unit: number, values: number[]}[]} all gates of the unit */
  #rows = [];
  /** @type {{name: string, unit: number, values: number[]} | undefined} the one that is shown */
  #row;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./models.js").Models} models
   * @param {import("./peek.js").Peek} peek
   * @param {() => string} ownText the text of the panel where texts are written
   */
  constructor(api, models, peek, ownText) {
    Object.assign(this, { api, models, peek });
    const note = (index, span) => peek.note(index, span, this.#wordsAt(index));
    this.view = new TextView(byId("in-view"), { onPeek: note, onPick: note, onLeave: () => peek.leave() });
    this.view.words = (_, index) => this.#wordsAt(index);
    this.units = new Units(this.view, (name, unit) => this.#try("in-gate", () => this.#choose(name, unit)));
    const on = (id, event, run) => byId(id).addEventListener(event, (happened) => {
      happened.preventDefault();
      this.#try(id, run);
    });
    on("in-go", "click", () => this.#look());
    on("in-own", "click", () => this.#look(ownText()));
    on("in-example", "click", async () => this.#look(await this.#example()));
    on("in-gate", "change", () => this.#choose(byId("in-gate").value));
    on("in-unit", "change", () => this.#choose());
    on("in-rows", "change", () => this.#heat());
    on("in-find", "click", () => this.#find());
    on("in-hold", "submit", () => this.#hold());
  }

  /** In the language that is set. */
  build() {
    const model = byId("in-model").value;
    this.models.fill(byId("in-model"));
    byId("in-model").value = model || this.models.all[0].id;
    if (!this.#row) return;
    this.units.show();
    this.#try("in-rows", () => this.#show());
  }

  /** Do it, with its button out of reach meanwhile, and tell what is in the way. */
  async #try(id, action) {
    const control = byId(id);
    control.ariaBusy = "true";
    try {
      await action();
    } catch (error) {
      showError(error);
    } finally {
      control.ariaBusy = null;
    }
  }

  /** A text of the model's own, or as many as it takes. */
  async #example() {
    const model = byId("in-model").value;
    const prompt = this.models.examplesOf(model)[0] ?? "";
    const asked = { model, prompt, max_tokens: EXAMPLE_LENGTH };
    const first = (await this.api.post("generate", asked)).text;
    if (first.length > EXAMPLE_LENGTH / 2) return prompt + first;
    const { texts } = await this.api.post("generate", { ...asked, n: EXAMPLE_TEXTS });
    return texts.map(({ text }) => prompt + text).join("\n");
  }

  async #look(text = byId("in-text").value) {
    byId("in-text").value = text;
    if (!text) return byId("in-text").focus();
    const model = byId("in-model").value;
    const [found, { state }] = await Promise.all([inspect(this.api, model, text, []), this.api.get(`models/${model}`)]);
    const points = Array.from(found.text);
    const starts = [...found.tokens.map(({ start }) => start), points.length];
    this.#read = { model, text: found.text, starts, states: state.map(({ name }) => name), available: found.available };
    byId("in-gate").replaceChildren(...Object.keys(found.available).map((name) => el("option", { text: name })));
    const known = Object.entries(KNOWN[model.split("@")[0]] ?? {}).filter(([unit]) => found.available[gateOf(unit)] > unitOf(unit));
    byId("in-known").replaceChildren(...known.map(([unit, key]) =>
      el("button", { class: "example", "data-t": key, text: t(key), title: unit, on: { click: () => this.#try("in-gate", () => this.#choose(gateOf(unit), unitOf(unit))) } })));
    byId("in-prompt").value = this.models.examplesOf(model)[0] ?? "";
    byId("in-held").replaceChildren();
    byId("in-result").hidden = false;
    this.#row = undefined;
    this.view.replace(found.tokens.map((_, at) => tokenOf(points.slice(starts[at], starts[at + 1]).join(""))));
    this.units.forget();
    const [first = `${Object.keys(found.available).at(-1)}.0`] = known[0] ?? [];
    await this.#choose(gateOf(first), unitOf(first));
    say(t("said.read"));
  }

  /** Colour the text by a unit, of which all gates are asked for at once. */
  async #choose(name = byId("in-gate").value, unit = Number(byId("in-unit").value)) {
    const { model, text, available } = this.#read;
    byId("in-gate").value = name;
    byId("in-unit").value = String(unit);
    byId("in-unit").max = String(available[name] - 1);
    const layer = name.split(".")[0];
    const gates = Object.keys(available).filter((each) => each === name || (each.startsWith(`${layer}.`) && unit < available[each]));
    const choice = (this.choice = `${name}.${unit}`);
    const { rows } = await inspect(this.api, model, text, gates.map((each) => [each, [unit]]));
    if (choice !== this.choice) return; // another one was chosen meanwhile
    this.#rows = rows;
    this.#row = rows.find((row) => row.name === name);
    await this.#show();
  }

  async #show() {
    const { name, unit, values } = this.#row;
    const scale = new Scale(name, values);
    this.view.level = (_, index) => scale.level(values[index]);
    this.view.refigure(this.view.tokens);
    byId("in-scale").replaceChildren(...scale.legend());
    byId("in-title").textContent = `${name}.${unit}`;
    byId("in-hold-unit").textContent = `${this.#held}.${unit}`;
    await this.#heat();
  }

  async #heat() {
    const rows = await this.#rowsOf(byId("in-rows").value);
    const scales = new Map();
    for (const { name } of rows) {
      if (!scales.has(name)) scales.set(name, new Scale(name, rows.filter((row) => row.name === name).flatMap(({ values }) => values)));
    }
    const pictured = rows.map(({ name, unit, values }) => ({ label: `${name}.${unit}`, scale: scales.get(name), values }));
    const point = (index, { label, values }) => {
      const span = this.view.spanAt(index);
      span?.scrollIntoView({ block: "nearest" });
      byId("in-about").textContent = t("in.about", { token: visible(this.view.tokens[index].text), at: number(index), unit: label, value: number(values[index], 3) });
    };
    byId("in-about").textContent = t("in.point");
    byId("in-heat").replaceChildren(...heatmap(pictured, t("in.heat"), point));
  }

  /** Of the chosen unit, of the chosen activation, or of the units that were found. */
  async #rowsOf(which) {
    const { model, text, starts, available } = this.#read;
    const { name } = this.#row;
    if (which === "gates") return this.#rows;
    const wanted = new Map();
    if (which === "units") {
      const most = Math.min(available[name], Math.floor(MOST_VALUES / starts.length));
      wanted.set(name, [...Array(most).keys()]);
    } else for (const { activation, unit } of this.units.found) wanted.set(activation, [...(wanted.get(activation) ?? []), unit]);
    if (!wanted.size) throw new Error(t("in.search"));
    return (await inspect(this.api, model, text, [...wanted])).rows;
  }

  async #find() {
    const { model, text, starts } = this.#read;
    await this.units.find(this.api, model, text, starts);
    say(t("in.listed", { number: this.units.found.length }));
  }

  /** What can be held is the state: of a gate, the cell that it is for. */
  get #held() {
    const { name } = this.#row;
    const { states } = this.#read;
    const layer = name.split(".")[0];
    return [name, `${layer}.c`, `${layer}.h`].find((each) => states.includes(each)) ?? states[0];
  }

  async #hold() {
    await hold(this.api, this.#read.model, { name: this.#held, unit: this.#row.unit, value: Number(byId("in-value").value) });
  }

  #wordsAt(index) {
    const { name, unit, values } = this.#row ?? {};
    const token = visible(this.view.tokens[index].text);
    return values ? t("in.value", { token, unit: `${name}.${unit}`, value: number(values[index], 3) }) : token;
  }
}

const gateOf = (unit) => unit.slice(0, unit.lastIndexOf("."));
const unitOf = (unit) => Number(unit.slice(unit.lastIndexOf(".") + 1));
const tokenOf = (text) => ({ text, length: Array.from(text).length, logprob: null, top: [], isWritten: true });
