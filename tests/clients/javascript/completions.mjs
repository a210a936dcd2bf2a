// Asks a server in every way that the test is about; prints what came of it as JSON.
import OpenAI from "openai";

const baseURL = process.argv[2];
const client = new OpenAI({ baseURL, apiKey: "unused", timeout: 60_000 });
const asked = { model: "tiny", prompt: "Once ", max_tokens: 40, seed: 5 };

const whole = await client.completions.create(asked);
let streamed = "";
for await (const chunk of await client.completions.create({ ...asked, stream: true })) {
  streamed += chunk.choices[0].text;
}
const several = await client.completions.create({ ...asked, prompt: ["Once ", "Two"], n: 2, logprobs: 1 });

const left = await client.completions.create({ ...asked, max_tokens: 16384, stream: true });
for await (const _ of left) break; // closes the connection

const errors = [];
for (const wrong of [{ max_tokens: 0 }, { model: "other" }]) {
  try {
    await client.completions.create({ ...asked, ...wrong });
  } catch (error) {
    errors.push([error.constructor.name, error.status, error.param]);
  }
}
const models = [];
for await (const model of client.models.list()) models.push(model.id);

console.log(
  JSON.stringify({
    whole: whole.choices[0].text,
    streamed,
    several: several.choices.map((choice) => [choice.index, choice.logprobs.tokens.length]),
    errors,
    models,
  }),
);
