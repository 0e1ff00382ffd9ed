/** The tokenizer class that AutoTokenizer chooses for a checkpoint's files. */

/** Classes that build their own steps. All other names mean tokenizer.json as it is: "backend". */
export type ClassName =
  | "bert"
  | "distilbert"
  | "roberta"
  | "albert"
  | "gpt2"
  | "codegen"
  | "llama"
  | "qwen2"
  | "gemma"
  | "t5"
  | "xlnet"
  | "xlm-roberta"
  | "camembert"
  | "deberta-v2"
  | "mpnet"
  | "backend";

/** transformers' classes by their names in files, without "Tokenizer" and "Fast". */
const classes: Readonly<Record<string, ClassName>> = {
  Bert: "bert",
  DistilBert: "distilbert",
  Electra: "bert",
  MobileBert: "bert",
  ConvBert: "bert",
  SqueezeBert: "bert",
  RetriBert: "bert",
  Roberta: "roberta",
  Bart: "roberta",
  Longformer: "roberta",
  LED: "roberta",
  Albert: "albert",
  GPT2: "gpt2",
  CodeGen: "codegen",
  Llama: "llama",
  Phi3: "llama",
  Qwen2: "qwen2",
  Gemma: "gemma",
  T5: "t5",
  XLNet: "xlnet",
  XLMRoberta: "xlm-roberta",
  Camembert: "camembert",
  DebertaV2: "deberta-v2",
  MPNet: "mpnet",
};

/** transformers' classes by model type; "mistral": tokenizer.json as it is, whatever class a file names. */
const registered: Readonly<Record<string, ClassName | "mistral">> = {
  bert: "bert",
  distilbert: "bert",
  electra: "bert",
  mobilebert: "bert",
  nomic_bert: "bert",
  roberta: "roberta",
  "roberta-prelayernorm": "roberta",
  bart: "roberta",
  longformer: "roberta",
  albert: "albert",
  gpt2: "gpt2",
  gpt_neo: "gpt2",
  gptj: "gpt2",
  opt: "gpt2",
  phi: "gpt2",
  starcoder2: "gpt2",
  codegen: "gpt2",
  qwen2: "qwen2",
  qwen2_moe: "qwen2",
  qwen3: "qwen2",
  qwen3_moe: "qwen2",
  gemma: "gemma",
  gemma2: "gemma",
  gemma3: "gemma",
  gemma3_text: "gemma",
  t5: "t5",
  mt5: "t5",
  xlnet: "xlnet",
  "xlm-roberta": "xlm-roberta",
  camembert: "camembert",
  "deberta-v2": "deberta-v2",
  mpnet: "mpnet",
  mistral: "mistral",
  mixtral: "mistral",
  modernbert: "backend",
  "modernbert-decoder": "backend",
  phi3: "backend",
  phimoe: "backend",
  umt5: "backend",
  granite: "backend",
  olmo2: "backend",
};

/** Model types for which the class in files is ignored, as in transformers. */
const disbelieved: ReadonlySet<string> = new Set(["modernbert", "modernbert-decoder", "phi3", "phimoe", "qwen2"]);

/**
 * Returns the class of a checkpoint. `named`: its name in tokenizer_config.json or config.json; `byteLevel`: whether
 * tokenizer.json is byte-level, which Llama's class does not support.
 */
export function classOf(named: string | undefined, modelType: string | undefined, byteLevel: boolean): ClassName {
  const bare = named?.replace(/(Fast)?$/, "").replace(/Tokenizer$/, "");
  const own = bare === undefined ? undefined : Object.hasOwn(classes, bare) ? classes[bare] : "backend";
  const type = modelType ?? "";
  const known = Object.hasOwn(registered, type) ? registered[type] : undefined;
  if (bare === "Llama" && known !== "mistral" && !disbelieved.has(type) && byteLevel) return "backend";
  if (known === undefined) return own ?? "backend";
  if (known === "mistral") return "backend";
  if (own === undefined || own === known) return known;
  // Model types that use tokenizer.json alone ignore the class in files.
  if (known === "backend") return "backend";
  return disbelieved.has(type) ? known : own ?? "backend";
}
