/** What the assistant says, found in chat templates of every make. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chatRenderer } from "../../../plugins/tokenizers/hf/chat/chat.ts";
import figures from "../../fixtures/chat.json" with { type: "json" };

const turns = [
  { role: "system", content: "Be brief." },
  { role: "user", content: "Hi" },
  { role: "assistant", content: "<think>who?</think>Yes, hi" },
  { role: "user", content: "Hi" },
  { role: "assistant", content: " Hi " },
];
const tokens = { bos_token: "<s>", eos_token: "</s>" };

/** Templates, and what they should give the assistant in the conversation above. */
const templates: Readonly<Record<string, readonly [template: string, said: readonly string[]]>> = {
  "turns in marks": [
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
    ["<think>who?</think>Yes, hi<|end|>\n", " Hi <|end|>\n"],
  ],
  "generation marked": [
    "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
    ["<think>who?</think>Yes, hi<|end|>", " Hi <|end|>"],
  ],
  "generation marked, blanks controlled": [
    "{%- for m in messages %}\n    {%- if m.role == 'assistant' %}\n        {%- generation %}\n        {{- m.content + '<|end|>' }}\n        {%- endgeneration -%}\n    {%- else %}\n        {{- m.content }}\n    {%- endif %}\n{%- endfor %}\n",
    ["<think>who?</think>Yes, hi<|end|>", " Hi <|end|>"],
  ],
  "earlier thoughts are dropped": [
    "{% for m in messages %}[{{ m.role }}]{% if m.role == 'assistant' and not loop.last and '</think>' in m.content %}{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}</s>{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
    ["Yes, hi</s>", " Hi </s>"],
  ],
  "a system message inside the first turn, turns that must alternate": [
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set loop_messages = messages[1:] %}{% set system = messages[0].content %}{% else %}{% set loop_messages = messages %}{% set system = '' %}{% endif %}{% for m in loop_messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}{% if m.role == 'user' %}[INST] {{ system if loop.first else '' }}{{ m.content }} [/INST]{% else %} {{ m.content | trim }} {{ eos_token }}{% endif %}{% endfor %}",
    [" <think>who?</think>Yes, hi </s>", " Hi </s>"],
  ],
  "something stands behind the last turn only": [
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}{% if not add_generation_prompt %}<end>{% else %}<assistant>{% endif %}",
    ["<think>who?</think>Yes, hi</assistant>", " Hi </assistant><end>"],
  ],
  "a thought opens the prompt": [
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<assistant><think>\n{% endif %}",
    ["<think>who?</think>Yes, hi</s>", " Hi </s>"],
  ],
  "the assistant is left out": ["{% for m in messages if m.role != 'assistant' %}{{ m.content }}{% endfor %}", []],
};

describe("conversations are as transformers renders them", () => {
  for (const { name, template, rendered, prompts } of figures.templates) {
    it(name, () => {
      const render = chatRenderer(template, figures.tokens);
      figures.conversations.forEach((messages, i) => {
        const { text, assistant } = render(messages, false);
        assert.equal(text, rendered[i]?.text);
        const marked = rendered[i] as { assistant?: readonly number[][] };
        if (marked.assistant) assert.deepEqual(assistant, marked.assistant);
        assert.equal(render(messages, true).text, prompts[i]);
      });
    });
  }
});

describe("what the assistant says", () => {
  for (const [name, [template, said]] of Object.entries(templates)) {
    it(name, () => {
      const { text, assistant } = chatRenderer(template, tokens)(turns, false);
      assert.deepEqual(assistant.map(([from, to]) => text.slice(from, to)), said);
    });
  }

  it("the same words of the user are not the assistant's", () => {
    const same = [{ role: "user", content: "no" }, { role: "assistant", content: "no" }, {
      role: "user",
      content: "no",
    }];
    const { text, assistant } = chatRenderer("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", {})(
      same,
      false,
    );
    assert.deepEqual(assistant.map(([from, to]) => [from, text.slice(from, to)]), [[9, "assistant: no\n"]]);
  });

  it("a conversation to go on with ends where the assistant begins", () => {
    const [template] = templates["turns in marks"]!;
    assert.equal(chatRenderer(template, {})(turns.slice(1, 2), true).text, "<|user|>Hi<|end|>\n<|assistant|>");
  });

  it("a template that cannot be read is an error", () => {
    assert.throws(() => chatRenderer("{% for %}", {}), /the chat template/);
  });
});
