/** Tokens with their figures, laid over the text that they are of. */

/**
 * @typedef {object} Token
 * @property {string} text as it is in the text
 * @property {number} length of `text`, in code points: the server counts in them
 * @property {number | null} logprob natural; null where it is not known
 * @property {{id: number, token: string, logprob: number}[]} top the most probable ones there
 * @property {boolean} isWritten by the model, and not read by it
 */

const NATS = Math.log(2);

/** @returns {number | null} in bits */
export function surprisal(token) {
  return token.logprob === null ? null : -token.logprob / NATS;
}

/**
 * 0 (expected) to 5 (a surprise): how a token is shaded; null: its figures are not known.
 * @param {Token} token
 * @param {number} step bits from one shade to the next
 */
export function shadeOf(token, step) {
  const bits = surprisal(token);
  return bits === null ? null : Math.min(5, Math.floor(bits / step));
}

/** Bits from one shade to the next: the more tokens there are, the more bits the usual one has. */
export function shadeStep(vocabularySize) {
  return Math.log2(vocabularySize) / 4;
}

/**
 * Lays figures over a text.
 * @param {string} text
 * @param {{id: number, token: string, logprob: number | null, top?: any[]}[] | undefined} figures
 * @param {boolean} isWritten
 * @param {number | null} [unknownId] the sign for what the model has never seen
 * @returns {Token[]} of the whole text; without figures where the two do not agree
 */
export function lay(text, figures = [], isWritten = false, unknownId = null) {
  const tokens = [];
  let at = 0;
  for (const { id, token, logprob, top } of figures) {
    const isUnknown = id === unknownId;
    const part = isUnknown ? String.fromCodePoint(text.codePointAt(at) ?? 0) : token;
    if (!text.startsWith(part, at)) break; // a sign that is no text, such as the end
    if (!part) continue;
    tokens.push({ text: part, length: codePoints(part), logprob, top: top ?? [], isWritten });
    at += part.length;
  }
  for (const part of text.slice(at)) {
    tokens.push({ text: part, length: 1, logprob: null, top: [], isWritten });
  }
  return tokens;
}

/** What to show of a character that cannot be seen. */
export function visible(text) {
  return text.replaceAll("\n", "↵").replaceAll(" ", "␣").replaceAll("\t", "⇥");
}

/** The server counts in code points, JavaScript in UTF-16. */
export function codePoints(text) {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
}
