import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { chatRenderer } from "../../../plugins/tokenizers/hf/chat/chat.ts";
import { boundedTemplate } from "../../../plugins/tokenizers/hf/chat/template.ts";

/** Expressions with what Jinja2 makes of them, null where it refuses them (test/fixtures/templates.py). */
const figures: readonly (readonly [string, string | null])[] = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../fixtures/templates.json", import.meta.url)), "utf8"),
);
/** What is not read here: these are refused, which is said, and never rendered otherwise. */
const unread =
  /\.format\(|'\s*%|\|\s*format|indent\('|batch|slice\(|truncate|wordwrap|center\(6|groupby|,\)|1e|dict\(|is float|divisibleby|is in|is gt|sameas|\[1,2\]\.index|\.count\(2|striptags|filesizeformat|\|attr|urlize|pprint/;

describe("templates are rendered as Jinja2 renders them", () => {
  for (const [expression, wanted] of figures) {
    it(expression, () => {
      const render = (): string => boundedTemplate(`{{ ${expression} }}`)({ messages: [] });
      if (wanted === null || unread.test(expression)) {
        // Either refused, or as there.
        let error: string | undefined;
        try {
          error = render();
        } catch {
          return;
        }
        assert.equal(error, wanted);
      } else assert.equal(render(), wanted);
    });
  }
  it("line ends of the template are alike, those of messages stay", () => {
    const render = boundedTemplate(
      "{% for m in messages %}\r\n  {% if true %}\r\n{{ m }}\r\n{% endif %}{% endfor %}\r\n",
    );
    assert.equal(render({ messages: ["a\r\nb", "c"] }), "a\r\nb\nc\n");
  });
});

describe("conversations", () => {
  const template = "{% if tools %}{{ tools | tojson }}\n{% endif %}{% for m in messages %}<{{ m.role }}>" +
    "{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% else %}{{ m.content | trim }}{% endif %}<end>\n{% endfor %}" +
    "{% if add_generation_prompt %}<assistant>{% endif %}";
  const render = chatRenderer(template, {});
  it("tools, calls without words and what is null", () => {
    const calls = [{ function: { name: "weather", arguments: { place: "Łódź" } } }];
    const { text } = render(
      [{ role: "user", content: "cold?", name: null }, { role: "assistant", content: null, tool_calls: calls }],
      false,
      [{ name: "weather" }],
    );
    assert.equal(
      text,
      '[{"name": "weather"}]\n<user>cold?<end>\n' +
        '<assistant>[{"function": {"name": "weather", "arguments": {"place": "Łódź"}}}]<end>\n',
    );
  });
  it("of many turns, those of the assistant are found without rendering each", () => {
    const turns = Array.from({ length: 400 }, (_, i) => ({
      role: i % 2 === 0 ? "user" : "assistant",
      content: i % 3 === 0 ? ` the same ` : `turn ${i} <end>`,
    }));
    let rendered = 0;
    const counted = chatRenderer(template, {
      get eos_token() {
        rendered++;
        return "<end>";
      },
    });
    const { text, assistant } = counted(turns, false);
    assert.deepEqual(
      assistant.map(([from, to]) => text.slice(from, to)),
      turns.filter(({ role }) => role === "assistant").map(({ content }) => `${content.trim()}<end>\n`),
    );
    assert.ok(rendered < 30, `rendered ${rendered} times`);
  });
  it("a turn that looks different where it is the last is found as before", () => {
    const own = chatRenderer(
      "{% for m in messages %}{% if m.role == 'assistant' and loop.last %}(last){% endif %}[{{ m.role }}]{{ m.content }};" +
        "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
      {},
    );
    const turns = Array.from({ length: 12 }, (_, i) => ({ role: i % 2 ? "assistant" : "user", content: `w${i}` }));
    const { text, assistant } = own(turns, false);
    assert.deepEqual(
      assistant.map(([from, to]) => text.slice(from, to).replace("[assistant]", "")),
      [1, 3, 5, 7, 9, 11].map((i) => `w${i};`),
    );
  });
});
