/** A language model's answers in evaluations, the earlier ones next to the newest. */
import type { TrainingEvent } from "../../../core/types.ts";
import { type Html, html } from "../../../blocks/page/mod.ts";

/** The event with generated answers. */
export type SamplesEvent = Extract<TrainingEvent, { readonly type: "samples" }>;

/** The number of evaluations of a task whose answers are kept: the first, and the newest. */
const KEPT = 5;

/** The number of characters shown of a text. */
const SHOWN = 400;

/** Adds the answers of an evaluation to those of a task. */
export function withSamples(events: readonly SamplesEvent[], event: SamplesEvent): readonly SamplesEvent[] {
  const own = events.filter(({ task }) => task === event.task);
  const others = events.filter(({ task }) => task !== event.task);
  // The untouched model's answers arrive last but belong first; a repeated evaluation replaces the earlier one.
  const all = [...own.filter(({ step }) => step !== event.step), event].sort((a, b) => a.step - b.step);
  const [first, ...rest] = all;
  return [...others, ...(first ? [first] : []), ...rest.slice(1 - KEPT)];
}

/** Draws answers; nothing if there are none. */
export function samplesSection(events: readonly SamplesEvent[]): Html | undefined {
  if (events.length === 0) return undefined;
  const prompts = new Map<string, Readonly<{ reference: string; texts: { when: string; text: string }[] }>>();
  for (const { task, step, samples } of events) {
    for (const { prompt, text, reference } of samples) {
      const key = `${task} ${prompt}`;
      const entry = prompts.get(key) ?? { reference, texts: [] };
      entry.texts.push({ when: step === 0 ? "untouched" : `step ${step}`, text });
      prompts.set(key, entry);
    }
  }
  return html`
    <section>
      <h2>Samples</h2>
      <p class="muted">Answers to the same prompts during training.</p>
      <div class="scroll">
        <table class="rows worst">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Text</th>
            </tr>
          </thead>
          <tbody>${[...prompts].map(([prompt, { reference, texts }]) =>
            html`${row("prompt", cut(prompt.trim()))}${texts.map(({ when, text }) => row(when, cut(text)))}${
              reference !== "" && row("reference", cut(reference))
            }`
          )}</tbody>
        </table>
      </div>
    </section>
  `;
}

function row(when: string, text: string): Html {
  return html`
    <tr>
      <td class="muted">${when}</td>
      <td dir="auto">${when === "prompt" ? html`<b>${text}</b>` : text}</td>
    </tr>
  `;
}

function cut(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN).replace(/[\ud800-\udbff]$/, "")}…`;
}
