/**
 * Every plugin of this package by kind and name. Written by build/catalog.ts; hosts may hand in another catalog.
 * @module
 */
import { bf16 as acceleratorBf16 } from "./accelerators/bf16.ts";
import { fp16 as acceleratorFp16 } from "./accelerators/fp16.ts";
import { fp4 as acceleratorFp4 } from "./accelerators/fp4.ts";
import { int4 as acceleratorInt4 } from "./accelerators/int4.ts";
import { int8 as acceleratorInt8 } from "./accelerators/int8.ts";
import { nf4 as acceleratorNf4 } from "./accelerators/nf4.ts";
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
import { albert as architectureAlbert } from "./architectures/albert.ts";
import { bart as architectureBart } from "./architectures/bart.ts";
import { bert as architectureBert } from "./architectures/bert.ts";
import { distilbert as architectureDistilbert } from "./architectures/distilbert.ts";
import { electra as architectureElectra } from "./architectures/electra.ts";
import { falcon as architectureFalcon } from "./architectures/falcon.ts";
import { gemma2 as architectureGemma2 } from "./architectures/gemma2.ts";
import { gemma3 as architectureGemma3 } from "./architectures/gemma3.ts";
import { gpt2 as architectureGpt2 } from "./architectures/gpt2.ts";
import { granite as architectureGranite } from "./architectures/granite.ts";
import { llama as architectureLlama } from "./architectures/llama.ts";
import { mistral as architectureMistral } from "./architectures/mistral.ts";
import { modernbert as architectureModernbert } from "./architectures/modernbert.ts";
import { olmo2 as architectureOlmo2 } from "./architectures/olmo2.ts";
import { phi as architecturePhi } from "./architectures/phi.ts";
import { phi3 as architecturePhi3 } from "./architectures/phi3.ts";
import { qwen2 as architectureQwen2 } from "./architectures/qwen2.ts";
import { qwen3 as architectureQwen3 } from "./architectures/qwen3.ts";
import { roberta as architectureRoberta } from "./architectures/roberta.ts";
import { smollm3 as architectureSmollm3 } from "./architectures/smollm3.ts";
import { t5 as architectureT5 } from "./architectures/t5.ts";
import { xlnet as architectureXlnet } from "./architectures/xlnet.ts";
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
import { arrow as dataArrow } from "./data/arrow.ts";
import { brown as dataBrown } from "./data/brown.ts";
import { csv as dataCsv } from "./data/csv.ts";
import { fold as dataFold } from "./data/fold.ts";
import { hub as dataHub } from "./data/hub.ts";
import { json as dataJson } from "./data/json.ts";
import { jsonl as dataJsonl } from "./data/jsonl.ts";
import { memory as dataMemory } from "./data/memory.ts";
import { mix as dataMix } from "./data/mix.ts";
import { pairs as dataPairs } from "./data/pairs.ts";
import { parquet as dataParquet } from "./data/parquet.ts";
import { reviews as dataReviews } from "./data/reviews.ts";
import { shuffle as dataShuffle } from "./data/shuffle.ts";
import { split as dataSplit } from "./data/split.ts";
import { take as dataTake } from "./data/take.ts";
import { text as dataText } from "./data/text.ts";
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
import { predictions as loggerPredictions } from "./loggers/predictions.ts";
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
import { byGroup as metricByGroup } from "./metrics/by_group.ts";
import { cer as metricCer } from "./metrics/cer.ts";
import { chrf as metricChrf } from "./metrics/chrf.ts";
import { cohenKappa as metricCohenKappa } from "./metrics/cohen_kappa.ts";
import { demographicParity as metricDemographicParity } from "./metrics/demographic_parity.ts";
import { disparateImpact as metricDisparateImpact } from "./metrics/disparate_impact.ts";
import { equalOpportunity as metricEqualOpportunity } from "./metrics/equal_opportunity.ts";
import { equalizedOdds as metricEqualizedOdds } from "./metrics/equalized_odds.ts";
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
import { pretrained as modelPretrained } from "./models/pretrained.ts";
import { random as modelRandom } from "./models/random.ts";
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
import { halving as prunerHalving } from "./pruners/halving.ts";
import { hyperband as prunerHyperband } from "./pruners/hyperband.ts";
import { median as prunerMedian } from "./pruners/median.ts";
import { none as prunerNone } from "./pruners/none.ts";
import { percentile as prunerPercentile } from "./pruners/percentile.ts";
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
import { grid as searchGrid } from "./searches/grid.ts";
import { random as searchRandom } from "./searches/random.ts";
import { tpe as searchTpe } from "./searches/tpe.ts";
import { directory as storeDirectory } from "./stores/directory.ts";
import { memory as storeMemory } from "./stores/memory.ts";
import { nats as storeNats } from "./stores/nats.ts";
import { causalLm as taskCausalLm } from "./tasks/causal_lm.ts";
import { ctc as taskCtc } from "./tasks/ctc.ts";
import { denoising as taskDenoising } from "./tasks/denoising.ts";
import { distillation as taskDistillation } from "./tasks/distillation.ts";
import { featureExtraction as taskFeatureExtraction } from "./tasks/feature_extraction.ts";
import { maskedLm as taskMaskedLm } from "./tasks/masked_lm.ts";
import { multiTask as taskMultiTask } from "./tasks/multi_task.ts";
import { multipleChoice as taskMultipleChoice } from "./tasks/multiple_choice.ts";
import { permutationLm as taskPermutationLm } from "./tasks/permutation_lm.ts";
import { pretraining as taskPretraining } from "./tasks/pretraining.ts";
import { promptClassification as taskPromptClassification } from "./tasks/prompt_classification.ts";
import { questionAnswering as taskQuestionAnswering } from "./tasks/question_answering.ts";
import { sentenceSimilarity as taskSentenceSimilarity } from "./tasks/sentence_similarity.ts";
import { seq2seqLm as taskSeq2seqLm } from "./tasks/seq2seq_lm.ts";
import { sequenceClassification as taskSequenceClassification } from "./tasks/sequence_classification.ts";
import { spanCorruption as taskSpanCorruption } from "./tasks/span_corruption.ts";
import { tokenClassification as taskTokenClassification } from "./tasks/token_classification.ts";
import { hf as tokenizerHf } from "./tokenizers/hf.ts";
import { transformers as tokenizerTransformers } from "./tokenizers/transformers.ts";
import { ort as trainerOrt } from "./trainers/ort.ts";
import { augment as transformAugment } from "./transforms/augment.ts";
import { balance as transformBalance } from "./transforms/balance.ts";
import { clean as transformClean } from "./transforms/clean.ts";
import { decontaminate as transformDecontaminate } from "./transforms/decontaminate.ts";
import { dedupe as transformDedupe } from "./transforms/dedupe.ts";
import { filter as transformFilter } from "./transforms/filter.ts";
import { mapColumns as transformMapColumns } from "./transforms/map_columns.ts";
import { redact as transformRedact } from "./transforms/redact.ts";
import { reweigh as transformReweigh } from "./transforms/reweigh.ts";
import { split as transformSplit } from "./transforms/split.ts";

type Plugins = {
  readonly accelerator: {
    readonly bf16: typeof acceleratorBf16;
    readonly fp16: typeof acceleratorFp16;
    readonly fp4: typeof acceleratorFp4;
    readonly int4: typeof acceleratorInt4;
    readonly int8: typeof acceleratorInt8;
    readonly nf4: typeof acceleratorNf4;
  };
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
  readonly architecture: {
    readonly albert: typeof architectureAlbert;
    readonly bart: typeof architectureBart;
    readonly bert: typeof architectureBert;
    readonly distilbert: typeof architectureDistilbert;
    readonly electra: typeof architectureElectra;
    readonly falcon: typeof architectureFalcon;
    readonly gemma2: typeof architectureGemma2;
    readonly gemma3: typeof architectureGemma3;
    readonly gpt2: typeof architectureGpt2;
    readonly granite: typeof architectureGranite;
    readonly llama: typeof architectureLlama;
    readonly mistral: typeof architectureMistral;
    readonly modernbert: typeof architectureModernbert;
    readonly olmo2: typeof architectureOlmo2;
    readonly phi: typeof architecturePhi;
    readonly phi3: typeof architecturePhi3;
    readonly qwen2: typeof architectureQwen2;
    readonly qwen3: typeof architectureQwen3;
    readonly roberta: typeof architectureRoberta;
    readonly smollm3: typeof architectureSmollm3;
    readonly t5: typeof architectureT5;
    readonly xlnet: typeof architectureXlnet;
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
  readonly data: {
    readonly arrow: typeof dataArrow;
    readonly brown: typeof dataBrown;
    readonly csv: typeof dataCsv;
    readonly fold: typeof dataFold;
    readonly hub: typeof dataHub;
    readonly json: typeof dataJson;
    readonly jsonl: typeof dataJsonl;
    readonly memory: typeof dataMemory;
    readonly mix: typeof dataMix;
    readonly pairs: typeof dataPairs;
    readonly parquet: typeof dataParquet;
    readonly reviews: typeof dataReviews;
    readonly shuffle: typeof dataShuffle;
    readonly split: typeof dataSplit;
    readonly take: typeof dataTake;
    readonly text: typeof dataText;
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
    readonly predictions: typeof loggerPredictions;
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
    readonly "by-group": typeof metricByGroup;
    readonly cer: typeof metricCer;
    readonly chrf: typeof metricChrf;
    readonly "cohen-kappa": typeof metricCohenKappa;
    readonly "demographic-parity": typeof metricDemographicParity;
    readonly "disparate-impact": typeof metricDisparateImpact;
    readonly "equal-opportunity": typeof metricEqualOpportunity;
    readonly "equalized-odds": typeof metricEqualizedOdds;
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
    readonly pretrained: typeof modelPretrained;
    readonly random: typeof modelRandom;
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
  readonly pruner: {
    readonly halving: typeof prunerHalving;
    readonly hyperband: typeof prunerHyperband;
    readonly median: typeof prunerMedian;
    readonly none: typeof prunerNone;
    readonly percentile: typeof prunerPercentile;
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
  readonly search: {
    readonly grid: typeof searchGrid;
    readonly random: typeof searchRandom;
    readonly tpe: typeof searchTpe;
  };
  readonly store: {
    readonly directory: typeof storeDirectory;
    readonly memory: typeof storeMemory;
    readonly nats: typeof storeNats;
  };
  readonly task: {
    readonly "causal-lm": typeof taskCausalLm;
    readonly ctc: typeof taskCtc;
    readonly denoising: typeof taskDenoising;
    readonly distillation: typeof taskDistillation;
    readonly "feature-extraction": typeof taskFeatureExtraction;
    readonly "masked-lm": typeof taskMaskedLm;
    readonly "multi-task": typeof taskMultiTask;
    readonly "multiple-choice": typeof taskMultipleChoice;
    readonly "permutation-lm": typeof taskPermutationLm;
    readonly pretraining: typeof taskPretraining;
    readonly "prompt-classification": typeof taskPromptClassification;
    readonly "question-answering": typeof taskQuestionAnswering;
    readonly "sentence-similarity": typeof taskSentenceSimilarity;
    readonly "seq2seq-lm": typeof taskSeq2seqLm;
    readonly "sequence-classification": typeof taskSequenceClassification;
    readonly "span-corruption": typeof taskSpanCorruption;
    readonly "token-classification": typeof taskTokenClassification;
  };
  readonly tokenizer: {
    readonly hf: typeof tokenizerHf;
    readonly transformers: typeof tokenizerTransformers;
  };
  readonly trainer: {
    readonly ort: typeof trainerOrt;
  };
  readonly transform: {
    readonly augment: typeof transformAugment;
    readonly balance: typeof transformBalance;
    readonly clean: typeof transformClean;
    readonly decontaminate: typeof transformDecontaminate;
    readonly dedupe: typeof transformDedupe;
    readonly filter: typeof transformFilter;
    readonly "map-columns": typeof transformMapColumns;
    readonly redact: typeof transformRedact;
    readonly reweigh: typeof transformReweigh;
    readonly split: typeof transformSplit;
  };
};

/** The plugins that come with Attune. */
export const catalog: Plugins = {
  accelerator: {
    bf16: acceleratorBf16,
    fp16: acceleratorFp16,
    fp4: acceleratorFp4,
    int4: acceleratorInt4,
    int8: acceleratorInt8,
    nf4: acceleratorNf4,
  },
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
  architecture: {
    albert: architectureAlbert,
    bart: architectureBart,
    bert: architectureBert,
    distilbert: architectureDistilbert,
    electra: architectureElectra,
    falcon: architectureFalcon,
    gemma2: architectureGemma2,
    gemma3: architectureGemma3,
    gpt2: architectureGpt2,
    granite: architectureGranite,
    llama: architectureLlama,
    mistral: architectureMistral,
    modernbert: architectureModernbert,
    olmo2: architectureOlmo2,
    phi: architecturePhi,
    phi3: architecturePhi3,
    qwen2: architectureQwen2,
    qwen3: architectureQwen3,
    roberta: architectureRoberta,
    smollm3: architectureSmollm3,
    t5: architectureT5,
    xlnet: architectureXlnet,
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
  data: {
    arrow: dataArrow,
    brown: dataBrown,
    csv: dataCsv,
    fold: dataFold,
    hub: dataHub,
    json: dataJson,
    jsonl: dataJsonl,
    memory: dataMemory,
    mix: dataMix,
    pairs: dataPairs,
    parquet: dataParquet,
    reviews: dataReviews,
    shuffle: dataShuffle,
    split: dataSplit,
    take: dataTake,
    text: dataText,
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
    predictions: loggerPredictions,
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
    "by-group": metricByGroup,
    cer: metricCer,
    chrf: metricChrf,
    "cohen-kappa": metricCohenKappa,
    "demographic-parity": metricDemographicParity,
    "disparate-impact": metricDisparateImpact,
    "equal-opportunity": metricEqualOpportunity,
    "equalized-odds": metricEqualizedOdds,
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
    pretrained: modelPretrained,
    random: modelRandom,
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
  pruner: {
    halving: prunerHalving,
    hyperband: prunerHyperband,
    median: prunerMedian,
    none: prunerNone,
    percentile: prunerPercentile,
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
  search: {
    grid: searchGrid,
    random: searchRandom,
    tpe: searchTpe,
  },
  store: {
    directory: storeDirectory,
    memory: storeMemory,
    nats: storeNats,
  },
  task: {
    "causal-lm": taskCausalLm,
    ctc: taskCtc,
    denoising: taskDenoising,
    distillation: taskDistillation,
    "feature-extraction": taskFeatureExtraction,
    "masked-lm": taskMaskedLm,
    "multi-task": taskMultiTask,
    "multiple-choice": taskMultipleChoice,
    "permutation-lm": taskPermutationLm,
    pretraining: taskPretraining,
    "prompt-classification": taskPromptClassification,
    "question-answering": taskQuestionAnswering,
    "sentence-similarity": taskSentenceSimilarity,
    "seq2seq-lm": taskSeq2seqLm,
    "sequence-classification": taskSequenceClassification,
    "span-corruption": taskSpanCorruption,
    "token-classification": taskTokenClassification,
  },
  tokenizer: {
    hf: tokenizerHf,
    transformers: tokenizerTransformers,
  },
  trainer: {
    ort: trainerOrt,
  },
  transform: {
    augment: transformAugment,
    balance: transformBalance,
    clean: transformClean,
    decontaminate: transformDecontaminate,
    dedupe: transformDedupe,
    filter: transformFilter,
    "map-columns": transformMapColumns,
    redact: transformRedact,
    reweigh: transformReweigh,
    split: transformSplit,
  },
};
