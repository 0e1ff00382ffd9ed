/**
 * Every plugin of this package by kind and name. Written by build/catalog.ts; hosts may hand in another catalog.
 * @module
 */
import { adalora as adapterAdalora } from "./adapters/adalora.ts";
import { bitfit as adapterBitfit } from "./adapters/bitfit.ts";
import { dora as adapterDora } from "./adapters/dora.ts";
import { freeze as adapterFreeze } from "./adapters/freeze.ts";
import { full as adapterFull } from "./adapters/full.ts";
import { houlsby as adapterHoulsby } from "./adapters/houlsby.ts";
import { ia3 as adapterIa3 } from "./adapters/ia3.ts";
import { lnTuning as adapterLnTuning } from "./adapters/ln_tuning.ts";
import { lora as adapterLora } from "./adapters/lora.ts";
import { pTuning as adapterPTuning } from "./adapters/p_tuning.ts";
import { parallel as adapterParallel } from "./adapters/parallel.ts";
import { pfeiffer as adapterPfeiffer } from "./adapters/pfeiffer.ts";
import { prefixTuning as adapterPrefixTuning } from "./adapters/prefix_tuning.ts";
import { promptTuning as adapterPromptTuning } from "./adapters/prompt_tuning.ts";
import { reft as adapterReft } from "./adapters/reft.ts";
import { vera as adapterVera } from "./adapters/vera.ts";
import { bestWeights as callbackBestWeights } from "./callbacks/best_weights.ts";
import { earlyStopping as callbackEarlyStopping } from "./callbacks/early_stopping.ts";
import { causalLm as collatorCausalLm } from "./collators/causal_lm.ts";
import { ctc as collatorCtc } from "./collators/ctc.ts";
import { denoising as collatorDenoising } from "./collators/denoising.ts";
import { maskedLm as collatorMaskedLm } from "./collators/masked_lm.ts";
import { multipleChoice as collatorMultipleChoice } from "./collators/multiple_choice.ts";
import { padding as collatorPadding } from "./collators/padding.ts";
import { permutationLm as collatorPermutationLm } from "./collators/permutation_lm.ts";
import { pretraining as collatorPretraining } from "./collators/pretraining.ts";
import { prompt as collatorPrompt } from "./collators/prompt.ts";
import { questionAnswering as collatorQuestionAnswering } from "./collators/question_answering.ts";
import { sentencePairs as collatorSentencePairs } from "./collators/sentence_pairs.ts";
import { seq2seq as collatorSeq2seq } from "./collators/seq2seq.ts";
import { tokenLabels as collatorTokenLabels } from "./collators/token_labels.ts";
import { brown as datasetBrown } from "./data/brown.ts";
import { csv as datasetCsv } from "./data/csv.ts";
import { hub as datasetHub } from "./data/hub.ts";
import { json as datasetJson } from "./data/json.ts";
import { jsonl as datasetJsonl } from "./data/jsonl.ts";
import { memory as datasetMemory } from "./data/memory.ts";
import { mix as datasetMix } from "./data/mix.ts";
import { pairs as datasetPairs } from "./data/pairs.ts";
import { parquet as datasetParquet } from "./data/parquet.ts";
import { reviews as datasetReviews } from "./data/reviews.ts";
import { shuffle as datasetShuffle } from "./data/shuffle.ts";
import { split as datasetSplit } from "./data/split.ts";
import { take as datasetTake } from "./data/take.ts";
import { hf as exporterHf } from "./exporters/hf.ts";
import { peft as exporterPeft } from "./exporters/peft.ts";
import { choice as headChoice } from "./heads/choice.ts";
import { ctc as headCtc } from "./heads/ctc.ts";
import { embedding as headEmbedding } from "./heads/embedding.ts";
import { hiddenStates as headHiddenStates } from "./heads/hidden_states.ts";
import { lm as headLm } from "./heads/lm.ts";
import { mlm as headMlm } from "./heads/mlm.ts";
import { nextSentence as headNextSentence } from "./heads/next_sentence.ts";
import { permutationLm as headPermutationLm } from "./heads/permutation_lm.ts";
import { pooled as headPooled } from "./heads/pooled.ts";
import { seq2seq as headSeq2seq } from "./heads/seq2seq.ts";
import { sequence as headSequence } from "./heads/sequence.ts";
import { similarity as headSimilarity } from "./heads/similarity.ts";
import { span as headSpan } from "./heads/span.ts";
import { token as headToken } from "./heads/token.ts";
import { verbalizer as headVerbalizer } from "./heads/verbalizer.ts";
import { consoleLogger as loggerConsoleLogger } from "./loggers/console.ts";
import { csv as loggerCsv } from "./loggers/csv.ts";
import { jsonl as loggerJsonl } from "./loggers/jsonl.ts";
import { report as loggerReport } from "./loggers/report.ts";
import { tensorboard as loggerTensorboard } from "./loggers/tensorboard.ts";
import { bceWithLogits as lossBceWithLogits } from "./losses/bce_with_logits.ts";
import { cosineEmbedding as lossCosineEmbedding } from "./losses/cosine_embedding.ts";
import { crossEntropy as lossCrossEntropy } from "./losses/cross_entropy.ts";
import { ctc as lossCtc } from "./losses/ctc.ts";
import { distillationKl as lossDistillationKl } from "./losses/distillation_kl.ts";
import { dpoSigmoid as lossDpoSigmoid } from "./losses/dpo_sigmoid.ts";
import { focal as lossFocal } from "./losses/focal.ts";
import { focalBinary as lossFocalBinary } from "./losses/focal_binary.ts";
import { huber as lossHuber } from "./losses/huber.ts";
import { klDiv as lossKlDiv } from "./losses/kl_div.ts";
import { mae as lossMae } from "./losses/mae.ts";
import { mse as lossMse } from "./losses/mse.ts";
import { smoothL1 as lossSmoothL1 } from "./losses/smooth_l1.ts";
import { triplet as lossTriplet } from "./losses/triplet.ts";
import { accuracy as metricAccuracy } from "./metrics/accuracy.ts";
import { averagePrecision as metricAveragePrecision } from "./metrics/average_precision.ts";
import { balancedAccuracy as metricBalancedAccuracy } from "./metrics/balanced_accuracy.ts";
import { bleu as metricBleu } from "./metrics/bleu.ts";
import { brier as metricBrier } from "./metrics/brier.ts";
import { cer as metricCer } from "./metrics/cer.ts";
import { chrf as metricChrf } from "./metrics/chrf.ts";
import { cohenKappa as metricCohenKappa } from "./metrics/cohen_kappa.ts";
import { exactMatch as metricExactMatch } from "./metrics/exact_match.ts";
import { expectedCalibrationError as metricExpectedCalibrationError } from "./metrics/expected_calibration_error.ts";
import { f1 as metricF1 } from "./metrics/f1.ts";
import { fBeta as metricFBeta } from "./metrics/f_beta.ts";
import { kendallTau as metricKendallTau } from "./metrics/kendall_tau.ts";
import { logLoss as metricLogLoss } from "./metrics/log_loss.ts";
import { mae as metricMae } from "./metrics/mae.ts";
import { matthewsCorrelation as metricMatthewsCorrelation } from "./metrics/matthews_correlation.ts";
import { meteor as metricMeteor } from "./metrics/meteor.ts";
import { mse as metricMse } from "./metrics/mse.ts";
import { pearson as metricPearson } from "./metrics/pearson.ts";
import { perplexity as metricPerplexity } from "./metrics/perplexity.ts";
import { prAucTrapezoid as metricPrAucTrapezoid } from "./metrics/pr_auc_trapezoid.ts";
import { precision as metricPrecision } from "./metrics/precision.ts";
import { precisionRecallF1 as metricPrecisionRecallF1 } from "./metrics/precision_recall_f1.ts";
import { r2 as metricR2 } from "./metrics/r2.ts";
import { recall as metricRecall } from "./metrics/recall.ts";
import { rmse as metricRmse } from "./metrics/rmse.ts";
import { rocAuc as metricRocAuc } from "./metrics/roc_auc.ts";
import { rouge as metricRouge } from "./metrics/rouge.ts";
import { seqeval as metricSeqeval } from "./metrics/seqeval.ts";
import { spearman as metricSpearman } from "./metrics/spearman.ts";
import { squad as metricSquad } from "./metrics/squad.ts";
import { squadV2 as metricSquadV2 } from "./metrics/squad_v2.ts";
import { ter as metricTer } from "./metrics/ter.ts";
import { topKAccuracy as metricTopKAccuracy } from "./metrics/top_k_accuracy.ts";
import { wer as metricWer } from "./metrics/wer.ts";
import { albert as modelAlbert } from "./models/albert.ts";
import { bart as modelBart } from "./models/bart.ts";
import { bert as modelBert } from "./models/bert.ts";
import { distilbert as modelDistilbert } from "./models/distilbert.ts";
import { electra as modelElectra } from "./models/electra.ts";
import { falcon as modelFalcon } from "./models/falcon.ts";
import { gemma2 as modelGemma2 } from "./models/gemma2.ts";
import { gemma3 as modelGemma3 } from "./models/gemma3.ts";
import { gpt2 as modelGpt2 } from "./models/gpt2.ts";
import { granite as modelGranite } from "./models/granite.ts";
import { llama as modelLlama } from "./models/llama.ts";
import { mistral as modelMistral } from "./models/mistral.ts";
import { modernbert as modelModernbert } from "./models/modernbert.ts";
import { olmo2 as modelOlmo2 } from "./models/olmo2.ts";
import { phi as modelPhi } from "./models/phi.ts";
import { phi3 as modelPhi3 } from "./models/phi3.ts";
import { qwen2 as modelQwen2 } from "./models/qwen2.ts";
import { qwen3 as modelQwen3 } from "./models/qwen3.ts";
import { roberta as modelRoberta } from "./models/roberta.ts";
import { smollm3 as modelSmollm3 } from "./models/smollm3.ts";
import { t5 as modelT5 } from "./models/t5.ts";
import { xlnet as modelXlnet } from "./models/xlnet.ts";
import { causalLm as objectiveCausalLm } from "./objectives/causal_lm.ts";
import { ctc as objectiveCtc } from "./objectives/ctc.ts";
import { denoising as objectiveDenoising } from "./objectives/denoising.ts";
import { distillation as objectiveDistillation } from "./objectives/distillation.ts";
import { featureExtraction as objectiveFeatureExtraction } from "./objectives/feature_extraction.ts";
import { maskedLm as objectiveMaskedLm } from "./objectives/masked_lm.ts";
import { multiTask as objectiveMultiTask } from "./objectives/multi_task.ts";
import { multipleChoice as objectiveMultipleChoice } from "./objectives/multiple_choice.ts";
import { permutationLm as objectivePermutationLm } from "./objectives/permutation_lm.ts";
import { pretraining as objectivePretraining } from "./objectives/pretraining.ts";
import { promptClassification as objectivePromptClassification } from "./objectives/prompt_classification.ts";
import { questionAnswering as objectiveQuestionAnswering } from "./objectives/question_answering.ts";
import { sentenceSimilarity as objectiveSentenceSimilarity } from "./objectives/sentence_similarity.ts";
import { seq2seqLm as objectiveSeq2seqLm } from "./objectives/seq2seq_lm.ts";
import { sequenceClassification as objectiveSequenceClassification } from "./objectives/sequence_classification.ts";
import { spanCorruption as objectiveSpanCorruption } from "./objectives/span_corruption.ts";
import { tokenClassification as objectiveTokenClassification } from "./objectives/token_classification.ts";
import { adafactor as optimizerAdafactor } from "./optimizers/adafactor.ts";
import { adagrad as optimizerAdagrad } from "./optimizers/adagrad.ts";
import { adam as optimizerAdam } from "./optimizers/adam.ts";
import { adamw as optimizerAdamw } from "./optimizers/adamw.ts";
import { adamw8bit as optimizerAdamw8bit } from "./optimizers/adamw_8bit.ts";
import { ademamix as optimizerAdemamix } from "./optimizers/ademamix.ts";
import { ema as optimizerEma } from "./optimizers/ema.ts";
import { lamb as optimizerLamb } from "./optimizers/lamb.ts";
import { lion as optimizerLion } from "./optimizers/lion.ts";
import { muon as optimizerMuon } from "./optimizers/muon.ts";
import { nadam as optimizerNadam } from "./optimizers/nadam.ts";
import { radam as optimizerRadam } from "./optimizers/radam.ts";
import { rmsprop as optimizerRmsprop } from "./optimizers/rmsprop.ts";
import { scheduleFreeAdamw as optimizerScheduleFreeAdamw } from "./optimizers/schedule_free_adamw.ts";
import { sgd as optimizerSgd } from "./optimizers/sgd.ts";
import { directory as queueDirectory } from "./queues/directory.ts";
import { memory as queueMemory } from "./queues/memory.ts";
import { nats as queueNats } from "./queues/nats.ts";
import { adversarialDebiasing as regularizerAdversarialDebiasing } from "./regularizers/adversarial_debiasing.ts";
import { ewc as regularizerEwc } from "./regularizers/ewc.ts";
import { l2Sp as regularizerL2Sp } from "./regularizers/l2_sp.ts";
import { mixout as regularizerMixout } from "./regularizers/mixout.ts";
import { neftune as regularizerNeftune } from "./regularizers/neftune.ts";
import { rDrop as regularizerRDrop } from "./regularizers/r_drop.ts";
import { constant as scheduleConstant } from "./schedules/constant.ts";
import { constantWithWarmup as scheduleConstantWithWarmup } from "./schedules/constant_with_warmup.ts";
import { cosine as scheduleCosine } from "./schedules/cosine.ts";
import { cosineWithMinLr as scheduleCosineWithMinLr } from "./schedules/cosine_with_min_lr.ts";
import { cosineWithRestarts as scheduleCosineWithRestarts } from "./schedules/cosine_with_restarts.ts";
import { inverseSqrt as scheduleInverseSqrt } from "./schedules/inverse_sqrt.ts";
import { linear as scheduleLinear } from "./schedules/linear.ts";
import { polynomial as schedulePolynomial } from "./schedules/polynomial.ts";
import { warmupStableDecay as scheduleWarmupStableDecay } from "./schedules/warmup_stable_decay.ts";
import { pretrained as sourcePretrained } from "./sources/pretrained.ts";
import { random as sourceRandom } from "./sources/random.ts";
import { directory as storeDirectory } from "./stores/directory.ts";
import { memory as storeMemory } from "./stores/memory.ts";
import { nats as storeNats } from "./stores/nats.ts";
import { hf as tokenizerHf } from "./tokenizers/hf.ts";
import { transformers as tokenizerTransformers } from "./tokenizers/transformers.ts";
import { ort as trainerOrt } from "./trainers/ort.ts";

type Plugins = {
  readonly adapter: {
    readonly adalora: typeof adapterAdalora;
    readonly bitfit: typeof adapterBitfit;
    readonly dora: typeof adapterDora;
    readonly freeze: typeof adapterFreeze;
    readonly full: typeof adapterFull;
    readonly houlsby: typeof adapterHoulsby;
    readonly ia3: typeof adapterIa3;
    readonly "ln-tuning": typeof adapterLnTuning;
    readonly lora: typeof adapterLora;
    readonly "p-tuning": typeof adapterPTuning;
    readonly parallel: typeof adapterParallel;
    readonly pfeiffer: typeof adapterPfeiffer;
    readonly "prefix-tuning": typeof adapterPrefixTuning;
    readonly "prompt-tuning": typeof adapterPromptTuning;
    readonly reft: typeof adapterReft;
    readonly vera: typeof adapterVera;
  };
  readonly callback: {
    readonly "best-weights": typeof callbackBestWeights;
    readonly "early-stopping": typeof callbackEarlyStopping;
  };
  readonly collator: {
    readonly "causal-lm": typeof collatorCausalLm;
    readonly ctc: typeof collatorCtc;
    readonly denoising: typeof collatorDenoising;
    readonly "masked-lm": typeof collatorMaskedLm;
    readonly "multiple-choice": typeof collatorMultipleChoice;
    readonly padding: typeof collatorPadding;
    readonly "permutation-lm": typeof collatorPermutationLm;
    readonly pretraining: typeof collatorPretraining;
    readonly prompt: typeof collatorPrompt;
    readonly "question-answering": typeof collatorQuestionAnswering;
    readonly "sentence-pairs": typeof collatorSentencePairs;
    readonly seq2seq: typeof collatorSeq2seq;
    readonly "token-labels": typeof collatorTokenLabels;
  };
  readonly dataset: {
    readonly brown: typeof datasetBrown;
    readonly csv: typeof datasetCsv;
    readonly hub: typeof datasetHub;
    readonly json: typeof datasetJson;
    readonly jsonl: typeof datasetJsonl;
    readonly memory: typeof datasetMemory;
    readonly mix: typeof datasetMix;
    readonly pairs: typeof datasetPairs;
    readonly parquet: typeof datasetParquet;
    readonly reviews: typeof datasetReviews;
    readonly shuffle: typeof datasetShuffle;
    readonly split: typeof datasetSplit;
    readonly take: typeof datasetTake;
  };
  readonly exporter: {
    readonly hf: typeof exporterHf;
    readonly peft: typeof exporterPeft;
  };
  readonly head: {
    readonly choice: typeof headChoice;
    readonly ctc: typeof headCtc;
    readonly embedding: typeof headEmbedding;
    readonly "hidden-states": typeof headHiddenStates;
    readonly lm: typeof headLm;
    readonly mlm: typeof headMlm;
    readonly "next-sentence": typeof headNextSentence;
    readonly "permutation-lm": typeof headPermutationLm;
    readonly pooled: typeof headPooled;
    readonly seq2seq: typeof headSeq2seq;
    readonly sequence: typeof headSequence;
    readonly similarity: typeof headSimilarity;
    readonly span: typeof headSpan;
    readonly token: typeof headToken;
    readonly verbalizer: typeof headVerbalizer;
  };
  readonly logger: {
    readonly console: typeof loggerConsoleLogger;
    readonly csv: typeof loggerCsv;
    readonly jsonl: typeof loggerJsonl;
    readonly report: typeof loggerReport;
    readonly tensorboard: typeof loggerTensorboard;
  };
  readonly loss: {
    readonly "bce-with-logits": typeof lossBceWithLogits;
    readonly "cosine-embedding": typeof lossCosineEmbedding;
    readonly "cross-entropy": typeof lossCrossEntropy;
    readonly ctc: typeof lossCtc;
    readonly "distillation-kl": typeof lossDistillationKl;
    readonly "dpo-sigmoid": typeof lossDpoSigmoid;
    readonly focal: typeof lossFocal;
    readonly "focal-binary": typeof lossFocalBinary;
    readonly huber: typeof lossHuber;
    readonly "kl-div": typeof lossKlDiv;
    readonly mae: typeof lossMae;
    readonly mse: typeof lossMse;
    readonly "smooth-l1": typeof lossSmoothL1;
    readonly triplet: typeof lossTriplet;
  };
  readonly metric: {
    readonly accuracy: typeof metricAccuracy;
    readonly "average-precision": typeof metricAveragePrecision;
    readonly "balanced-accuracy": typeof metricBalancedAccuracy;
    readonly bleu: typeof metricBleu;
    readonly brier: typeof metricBrier;
    readonly cer: typeof metricCer;
    readonly chrf: typeof metricChrf;
    readonly "cohen-kappa": typeof metricCohenKappa;
    readonly "exact-match": typeof metricExactMatch;
    readonly "expected-calibration-error": typeof metricExpectedCalibrationError;
    readonly "f-beta": typeof metricFBeta;
    readonly f1: typeof metricF1;
    readonly "kendall-tau": typeof metricKendallTau;
    readonly "log-loss": typeof metricLogLoss;
    readonly mae: typeof metricMae;
    readonly "matthews-correlation": typeof metricMatthewsCorrelation;
    readonly meteor: typeof metricMeteor;
    readonly mse: typeof metricMse;
    readonly pearson: typeof metricPearson;
    readonly perplexity: typeof metricPerplexity;
    readonly "pr-auc-trapezoid": typeof metricPrAucTrapezoid;
    readonly precision: typeof metricPrecision;
    readonly "precision-recall-f1": typeof metricPrecisionRecallF1;
    readonly r2: typeof metricR2;
    readonly recall: typeof metricRecall;
    readonly rmse: typeof metricRmse;
    readonly "roc-auc": typeof metricRocAuc;
    readonly rouge: typeof metricRouge;
    readonly seqeval: typeof metricSeqeval;
    readonly spearman: typeof metricSpearman;
    readonly squad: typeof metricSquad;
    readonly "squad-v2": typeof metricSquadV2;
    readonly ter: typeof metricTer;
    readonly "top-k-accuracy": typeof metricTopKAccuracy;
    readonly wer: typeof metricWer;
  };
  readonly model: {
    readonly albert: typeof modelAlbert;
    readonly bart: typeof modelBart;
    readonly bert: typeof modelBert;
    readonly distilbert: typeof modelDistilbert;
    readonly electra: typeof modelElectra;
    readonly falcon: typeof modelFalcon;
    readonly gemma2: typeof modelGemma2;
    readonly gemma3: typeof modelGemma3;
    readonly gpt2: typeof modelGpt2;
    readonly granite: typeof modelGranite;
    readonly llama: typeof modelLlama;
    readonly mistral: typeof modelMistral;
    readonly modernbert: typeof modelModernbert;
    readonly olmo2: typeof modelOlmo2;
    readonly phi: typeof modelPhi;
    readonly phi3: typeof modelPhi3;
    readonly qwen2: typeof modelQwen2;
    readonly qwen3: typeof modelQwen3;
    readonly roberta: typeof modelRoberta;
    readonly smollm3: typeof modelSmollm3;
    readonly t5: typeof modelT5;
    readonly xlnet: typeof modelXlnet;
  };
  readonly objective: {
    readonly "causal-lm": typeof objectiveCausalLm;
    readonly ctc: typeof objectiveCtc;
    readonly denoising: typeof objectiveDenoising;
    readonly distillation: typeof objectiveDistillation;
    readonly "feature-extraction": typeof objectiveFeatureExtraction;
    readonly "masked-lm": typeof objectiveMaskedLm;
    readonly "multi-task": typeof objectiveMultiTask;
    readonly "multiple-choice": typeof objectiveMultipleChoice;
    readonly "permutation-lm": typeof objectivePermutationLm;
    readonly pretraining: typeof objectivePretraining;
    readonly "prompt-classification": typeof objectivePromptClassification;
    readonly "question-answering": typeof objectiveQuestionAnswering;
    readonly "sentence-similarity": typeof objectiveSentenceSimilarity;
    readonly "seq2seq-lm": typeof objectiveSeq2seqLm;
    readonly "sequence-classification": typeof objectiveSequenceClassification;
    readonly "span-corruption": typeof objectiveSpanCorruption;
    readonly "token-classification": typeof objectiveTokenClassification;
  };
  readonly optimizer: {
    readonly adafactor: typeof optimizerAdafactor;
    readonly adagrad: typeof optimizerAdagrad;
    readonly adam: typeof optimizerAdam;
    readonly adamw: typeof optimizerAdamw;
    readonly "adamw-8bit": typeof optimizerAdamw8bit;
    readonly ademamix: typeof optimizerAdemamix;
    readonly ema: typeof optimizerEma;
    readonly lamb: typeof optimizerLamb;
    readonly lion: typeof optimizerLion;
    readonly muon: typeof optimizerMuon;
    readonly nadam: typeof optimizerNadam;
    readonly radam: typeof optimizerRadam;
    readonly rmsprop: typeof optimizerRmsprop;
    readonly "schedule-free-adamw": typeof optimizerScheduleFreeAdamw;
    readonly sgd: typeof optimizerSgd;
  };
  readonly queue: {
    readonly directory: typeof queueDirectory;
    readonly memory: typeof queueMemory;
    readonly nats: typeof queueNats;
  };
  readonly regularizer: {
    readonly "adversarial-debiasing": typeof regularizerAdversarialDebiasing;
    readonly ewc: typeof regularizerEwc;
    readonly "l2-sp": typeof regularizerL2Sp;
    readonly mixout: typeof regularizerMixout;
    readonly neftune: typeof regularizerNeftune;
    readonly "r-drop": typeof regularizerRDrop;
  };
  readonly schedule: {
    readonly constant: typeof scheduleConstant;
    readonly "constant-with-warmup": typeof scheduleConstantWithWarmup;
    readonly cosine: typeof scheduleCosine;
    readonly "cosine-with-min-lr": typeof scheduleCosineWithMinLr;
    readonly "cosine-with-restarts": typeof scheduleCosineWithRestarts;
    readonly "inverse-sqrt": typeof scheduleInverseSqrt;
    readonly linear: typeof scheduleLinear;
    readonly polynomial: typeof schedulePolynomial;
    readonly "warmup-stable-decay": typeof scheduleWarmupStableDecay;
  };
  readonly source: {
    readonly pretrained: typeof sourcePretrained;
    readonly random: typeof sourceRandom;
  };
  readonly store: {
    readonly directory: typeof storeDirectory;
    readonly memory: typeof storeMemory;
    readonly nats: typeof storeNats;
  };
  readonly tokenizer: {
    readonly hf: typeof tokenizerHf;
    readonly transformers: typeof tokenizerTransformers;
  };
  readonly trainer: {
    readonly ort: typeof trainerOrt;
  };
};

/** The plugins that come with Attune. */
export const catalog: Plugins = {
  adapter: {
    adalora: adapterAdalora,
    bitfit: adapterBitfit,
    dora: adapterDora,
    freeze: adapterFreeze,
    full: adapterFull,
    houlsby: adapterHoulsby,
    ia3: adapterIa3,
    "ln-tuning": adapterLnTuning,
    lora: adapterLora,
    "p-tuning": adapterPTuning,
    parallel: adapterParallel,
    pfeiffer: adapterPfeiffer,
    "prefix-tuning": adapterPrefixTuning,
    "prompt-tuning": adapterPromptTuning,
    reft: adapterReft,
    vera: adapterVera,
  },
  callback: {
    "best-weights": callbackBestWeights,
    "early-stopping": callbackEarlyStopping,
  },
  collator: {
    "causal-lm": collatorCausalLm,
    ctc: collatorCtc,
    denoising: collatorDenoising,
    "masked-lm": collatorMaskedLm,
    "multiple-choice": collatorMultipleChoice,
    padding: collatorPadding,
    "permutation-lm": collatorPermutationLm,
    pretraining: collatorPretraining,
    prompt: collatorPrompt,
    "question-answering": collatorQuestionAnswering,
    "sentence-pairs": collatorSentencePairs,
    seq2seq: collatorSeq2seq,
    "token-labels": collatorTokenLabels,
  },
  dataset: {
    brown: datasetBrown,
    csv: datasetCsv,
    hub: datasetHub,
    json: datasetJson,
    jsonl: datasetJsonl,
    memory: datasetMemory,
    mix: datasetMix,
    pairs: datasetPairs,
    parquet: datasetParquet,
    reviews: datasetReviews,
    shuffle: datasetShuffle,
    split: datasetSplit,
    take: datasetTake,
  },
  exporter: {
    hf: exporterHf,
    peft: exporterPeft,
  },
  head: {
    choice: headChoice,
    ctc: headCtc,
    embedding: headEmbedding,
    "hidden-states": headHiddenStates,
    lm: headLm,
    mlm: headMlm,
    "next-sentence": headNextSentence,
    "permutation-lm": headPermutationLm,
    pooled: headPooled,
    seq2seq: headSeq2seq,
    sequence: headSequence,
    similarity: headSimilarity,
    span: headSpan,
    token: headToken,
    verbalizer: headVerbalizer,
  },
  logger: {
    console: loggerConsoleLogger,
    csv: loggerCsv,
    jsonl: loggerJsonl,
    report: loggerReport,
    tensorboard: loggerTensorboard,
  },
  loss: {
    "bce-with-logits": lossBceWithLogits,
    "cosine-embedding": lossCosineEmbedding,
    "cross-entropy": lossCrossEntropy,
    ctc: lossCtc,
    "distillation-kl": lossDistillationKl,
    "dpo-sigmoid": lossDpoSigmoid,
    focal: lossFocal,
    "focal-binary": lossFocalBinary,
    huber: lossHuber,
    "kl-div": lossKlDiv,
    mae: lossMae,
    mse: lossMse,
    "smooth-l1": lossSmoothL1,
    triplet: lossTriplet,
  },
  metric: {
    accuracy: metricAccuracy,
    "average-precision": metricAveragePrecision,
    "balanced-accuracy": metricBalancedAccuracy,
    bleu: metricBleu,
    brier: metricBrier,
    cer: metricCer,
    chrf: metricChrf,
    "cohen-kappa": metricCohenKappa,
    "exact-match": metricExactMatch,
    "expected-calibration-error": metricExpectedCalibrationError,
    "f-beta": metricFBeta,
    f1: metricF1,
    "kendall-tau": metricKendallTau,
    "log-loss": metricLogLoss,
    mae: metricMae,
    "matthews-correlation": metricMatthewsCorrelation,
    meteor: metricMeteor,
    mse: metricMse,
    pearson: metricPearson,
    perplexity: metricPerplexity,
    "pr-auc-trapezoid": metricPrAucTrapezoid,
    precision: metricPrecision,
    "precision-recall-f1": metricPrecisionRecallF1,
    r2: metricR2,
    recall: metricRecall,
    rmse: metricRmse,
    "roc-auc": metricRocAuc,
    rouge: metricRouge,
    seqeval: metricSeqeval,
    spearman: metricSpearman,
    squad: metricSquad,
    "squad-v2": metricSquadV2,
    ter: metricTer,
    "top-k-accuracy": metricTopKAccuracy,
    wer: metricWer,
  },
  model: {
    albert: modelAlbert,
    bart: modelBart,
    bert: modelBert,
    distilbert: modelDistilbert,
    electra: modelElectra,
    falcon: modelFalcon,
    gemma2: modelGemma2,
    gemma3: modelGemma3,
    gpt2: modelGpt2,
    granite: modelGranite,
    llama: modelLlama,
    mistral: modelMistral,
    modernbert: modelModernbert,
    olmo2: modelOlmo2,
    phi: modelPhi,
    phi3: modelPhi3,
    qwen2: modelQwen2,
    qwen3: modelQwen3,
    roberta: modelRoberta,
    smollm3: modelSmollm3,
    t5: modelT5,
    xlnet: modelXlnet,
  },
  objective: {
    "causal-lm": objectiveCausalLm,
    ctc: objectiveCtc,
    denoising: objectiveDenoising,
    distillation: objectiveDistillation,
    "feature-extraction": objectiveFeatureExtraction,
    "masked-lm": objectiveMaskedLm,
    "multi-task": objectiveMultiTask,
    "multiple-choice": objectiveMultipleChoice,
    "permutation-lm": objectivePermutationLm,
    pretraining: objectivePretraining,
    "prompt-classification": objectivePromptClassification,
    "question-answering": objectiveQuestionAnswering,
    "sentence-similarity": objectiveSentenceSimilarity,
    "seq2seq-lm": objectiveSeq2seqLm,
    "sequence-classification": objectiveSequenceClassification,
    "span-corruption": objectiveSpanCorruption,
    "token-classification": objectiveTokenClassification,
  },
  optimizer: {
    adafactor: optimizerAdafactor,
    adagrad: optimizerAdagrad,
    adam: optimizerAdam,
    adamw: optimizerAdamw,
    "adamw-8bit": optimizerAdamw8bit,
    ademamix: optimizerAdemamix,
    ema: optimizerEma,
    lamb: optimizerLamb,
    lion: optimizerLion,
    muon: optimizerMuon,
    nadam: optimizerNadam,
    radam: optimizerRadam,
    rmsprop: optimizerRmsprop,
    "schedule-free-adamw": optimizerScheduleFreeAdamw,
    sgd: optimizerSgd,
  },
  queue: {
    directory: queueDirectory,
    memory: queueMemory,
    nats: queueNats,
  },
  regularizer: {
    "adversarial-debiasing": regularizerAdversarialDebiasing,
    ewc: regularizerEwc,
    "l2-sp": regularizerL2Sp,
    mixout: regularizerMixout,
    neftune: regularizerNeftune,
    "r-drop": regularizerRDrop,
  },
  schedule: {
    constant: scheduleConstant,
    "constant-with-warmup": scheduleConstantWithWarmup,
    cosine: scheduleCosine,
    "cosine-with-min-lr": scheduleCosineWithMinLr,
    "cosine-with-restarts": scheduleCosineWithRestarts,
    "inverse-sqrt": scheduleInverseSqrt,
    linear: scheduleLinear,
    polynomial: schedulePolynomial,
    "warmup-stable-decay": scheduleWarmupStableDecay,
  },
  source: {
    pretrained: sourcePretrained,
    random: sourceRandom,
  },
  store: {
    directory: storeDirectory,
    memory: storeMemory,
    nats: storeNats,
  },
  tokenizer: {
    hf: tokenizerHf,
    transformers: tokenizerTransformers,
  },
  trainer: {
    ort: trainerOrt,
  },
};
