/** The model card of `attune:base`. */
import type { Named } from "../../core/types.ts";
import { packages } from "./texts.ts";

/** Facts about the training for the card. */
export type CardFacts = Readonly<{ sentences: number; epochs: number; figures: Named<number> }>;

/** Returns the card in Markdown, with front matter for the hub. */
export function card({ sentences, epochs, figures }: CardFacts): string {
  const rounded = (x: number | undefined): string => (x ?? NaN).toFixed(3);
  const rows = packages.map(({ registry, name, version, license }) =>
    `| ${registry} | ${name} ${version} | ${license} |`
  );
  return `---
license: apache-2.0
language: en
library_name: attune
base_model: sentence-transformers/all-MiniLM-L6-v2
pipeline_tag: sentence-similarity
---

# attune:base

A small English encoder that comes with Attune: a BERT with 3 layers, hidden size 384, 12 heads, its own WordPiece
vocabulary of 8,192 tokens, and up to 256 tokens of text. Matrices are stored as 8-bit integers with a scale per row
(\`x.scale\` next to \`x\`) and decoded exactly when the model is opened.

Use it to try things offline, in tests, and to fine-tune on small machines. Its mean-pooled hidden states are sentence
embeddings.

## How it was made

\`recipes/distill_base.ts\` distilled it from
[all-MiniLM-L6-v2](https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2) (Apache-2.0, by the sentence-transformers
authors): ${sentences.toLocaleString("en")} sentences, ${epochs} epochs, with the squared distance between its
sentence embeddings and the teacher's as the loss. Word and position embeddings were initialized from the teacher, layers
at random. Texts:

| from | package | licence |
|---|---|---|
${rows.join("\n")}

Sentences in the rows of Attune's sentiment recipe were left out.

## Figures

Spearman's correlation of cosine similarities with the teacher's, on held-out sentences: ${
    rounded(figures.all)
  } over random pairs and nearest neighbours together (${rounded(figures.random)} random pairs alone, ${
    rounded(figures.nearest)
  } nearest neighbours alone). Accuracy after fine-tuning is in \`bench/README.md\`.

## Limits

English only. It has seen nothing but dictionary glosses, film and product reviews, and news and tweets from before 2014,
and has their biases. It knows far less than its teacher, and does not generate text.
`;
}
