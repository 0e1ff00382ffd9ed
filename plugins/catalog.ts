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
import { debertaV2 as architectureDebertaV2 } from "./architectures/deberta_v2.ts";
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
import { mpnet as architectureMpnet } from "./architectures/mpnet.ts";
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
import { lightCatalog } from "./light_catalog.ts";

/** The plugins that come with Attune. */
export const catalog = {
  accelerator: {
    bf16: acceleratorBf16 as typeof acceleratorBf16,
    fp16: acceleratorFp16 as typeof acceleratorFp16,
    fp4: acceleratorFp4 as typeof acceleratorFp4,
    int4: acceleratorInt4 as typeof acceleratorInt4,
    int8: acceleratorInt8 as typeof acceleratorInt8,
    nf4: acceleratorNf4 as typeof acceleratorNf4,
  },
  adapter: {
    adalora: adapterAdalora as typeof adapterAdalora,
    bitfit: adapterBitfit as typeof adapterBitfit,
    dora: adapterDora as typeof adapterDora,
    freeze: adapterFreeze as typeof adapterFreeze,
    full: adapterFull as typeof adapterFull,
    houlsby: adapterHoulsby as typeof adapterHoulsby,
    ia3: adapterIa3 as typeof adapterIa3,
    "ln-tuning": adapterLnTuning as typeof adapterLnTuning,
    lora: adapterLora as typeof adapterLora,
    "p-tuning": adapterPTuning as typeof adapterPTuning,
    parallel: adapterParallel as typeof adapterParallel,
    pfeiffer: adapterPfeiffer as typeof adapterPfeiffer,
    "prefix-tuning": adapterPrefixTuning as typeof adapterPrefixTuning,
    "prompt-tuning": adapterPromptTuning as typeof adapterPromptTuning,
    reft: adapterReft as typeof adapterReft,
    vera: adapterVera as typeof adapterVera,
  },
  architecture: {
    albert: architectureAlbert as typeof architectureAlbert,
    bart: architectureBart as typeof architectureBart,
    bert: architectureBert as typeof architectureBert,
    "deberta-v2": architectureDebertaV2 as typeof architectureDebertaV2,
    distilbert: architectureDistilbert as typeof architectureDistilbert,
    electra: architectureElectra as typeof architectureElectra,
    falcon: architectureFalcon as typeof architectureFalcon,
    gemma2: architectureGemma2 as typeof architectureGemma2,
    gemma3: architectureGemma3 as typeof architectureGemma3,
    gpt2: architectureGpt2 as typeof architectureGpt2,
    granite: architectureGranite as typeof architectureGranite,
    llama: architectureLlama as typeof architectureLlama,
    mistral: architectureMistral as typeof architectureMistral,
    modernbert: architectureModernbert as typeof architectureModernbert,
    mpnet: architectureMpnet as typeof architectureMpnet,
    olmo2: architectureOlmo2 as typeof architectureOlmo2,
    phi: architecturePhi as typeof architecturePhi,
    phi3: architecturePhi3 as typeof architecturePhi3,
    qwen2: architectureQwen2 as typeof architectureQwen2,
    qwen3: architectureQwen3 as typeof architectureQwen3,
    roberta: architectureRoberta as typeof architectureRoberta,
    smollm3: architectureSmollm3 as typeof architectureSmollm3,
    t5: architectureT5 as typeof architectureT5,
    xlnet: architectureXlnet as typeof architectureXlnet,
  },
  callback: {
    "best-weights": callbackBestWeights as typeof callbackBestWeights,
    "early-stopping": callbackEarlyStopping as typeof callbackEarlyStopping,
  },
  collator: {
    "causal-lm": collatorCausalLm as typeof collatorCausalLm,
    ctc: collatorCtc as typeof collatorCtc,
    denoising: collatorDenoising as typeof collatorDenoising,
    "masked-lm": collatorMaskedLm as typeof collatorMaskedLm,
    "multiple-choice": collatorMultipleChoice as typeof collatorMultipleChoice,
    padding: collatorPadding as typeof collatorPadding,
    "permutation-lm": collatorPermutationLm as typeof collatorPermutationLm,
    pretraining: collatorPretraining as typeof collatorPretraining,
    prompt: collatorPrompt as typeof collatorPrompt,
    "question-answering": collatorQuestionAnswering as typeof collatorQuestionAnswering,
    "sentence-pairs": collatorSentencePairs as typeof collatorSentencePairs,
    seq2seq: collatorSeq2seq as typeof collatorSeq2seq,
    "token-labels": collatorTokenLabels as typeof collatorTokenLabels,
  },
  data: {
    arrow: dataArrow as typeof dataArrow,
    brown: dataBrown as typeof dataBrown,
    csv: dataCsv as typeof dataCsv,
    fold: dataFold as typeof dataFold,
    hub: dataHub as typeof dataHub,
    json: dataJson as typeof dataJson,
    jsonl: dataJsonl as typeof dataJsonl,
    memory: dataMemory as typeof dataMemory,
    mix: dataMix as typeof dataMix,
    pairs: dataPairs as typeof dataPairs,
    parquet: dataParquet as typeof dataParquet,
    reviews: dataReviews as typeof dataReviews,
    shuffle: dataShuffle as typeof dataShuffle,
    split: dataSplit as typeof dataSplit,
    take: dataTake as typeof dataTake,
    text: dataText as typeof dataText,
  },
  exporter: {
    hf: exporterHf as typeof exporterHf,
    peft: exporterPeft as typeof exporterPeft,
  },
  head: {
    choice: headChoice as typeof headChoice,
    ctc: headCtc as typeof headCtc,
    embedding: headEmbedding as typeof headEmbedding,
    "hidden-states": headHiddenStates as typeof headHiddenStates,
    lm: headLm as typeof headLm,
    mlm: headMlm as typeof headMlm,
    "next-sentence": headNextSentence as typeof headNextSentence,
    "permutation-lm": headPermutationLm as typeof headPermutationLm,
    pooled: headPooled as typeof headPooled,
    seq2seq: headSeq2seq as typeof headSeq2seq,
    sequence: headSequence as typeof headSequence,
    similarity: headSimilarity as typeof headSimilarity,
    span: headSpan as typeof headSpan,
    token: headToken as typeof headToken,
    verbalizer: headVerbalizer as typeof headVerbalizer,
  },
  logger: {
    console: loggerConsoleLogger as typeof loggerConsoleLogger,
    csv: loggerCsv as typeof loggerCsv,
    jsonl: loggerJsonl as typeof loggerJsonl,
    predictions: loggerPredictions as typeof loggerPredictions,
    report: loggerReport as typeof loggerReport,
    tensorboard: loggerTensorboard as typeof loggerTensorboard,
  },
  loss: {
    "bce-with-logits": lossBceWithLogits as typeof lossBceWithLogits,
    "cosine-embedding": lossCosineEmbedding as typeof lossCosineEmbedding,
    "cross-entropy": lossCrossEntropy as typeof lossCrossEntropy,
    ctc: lossCtc as typeof lossCtc,
    "distillation-kl": lossDistillationKl as typeof lossDistillationKl,
    "dpo-sigmoid": lossDpoSigmoid as typeof lossDpoSigmoid,
    focal: lossFocal as typeof lossFocal,
    "focal-binary": lossFocalBinary as typeof lossFocalBinary,
    huber: lossHuber as typeof lossHuber,
    "kl-div": lossKlDiv as typeof lossKlDiv,
    mae: lossMae as typeof lossMae,
    mse: lossMse as typeof lossMse,
    "smooth-l1": lossSmoothL1 as typeof lossSmoothL1,
    triplet: lossTriplet as typeof lossTriplet,
  },
  metric: lightCatalog.metric as typeof lightCatalog.metric,
  model: {
    pretrained: modelPretrained as typeof modelPretrained,
    random: modelRandom as typeof modelRandom,
  },
  optimizer: {
    adafactor: optimizerAdafactor as typeof optimizerAdafactor,
    adagrad: optimizerAdagrad as typeof optimizerAdagrad,
    adam: optimizerAdam as typeof optimizerAdam,
    adamw: optimizerAdamw as typeof optimizerAdamw,
    "adamw-8bit": optimizerAdamw8bit as typeof optimizerAdamw8bit,
    ademamix: optimizerAdemamix as typeof optimizerAdemamix,
    ema: optimizerEma as typeof optimizerEma,
    lamb: optimizerLamb as typeof optimizerLamb,
    lion: optimizerLion as typeof optimizerLion,
    muon: optimizerMuon as typeof optimizerMuon,
    nadam: optimizerNadam as typeof optimizerNadam,
    radam: optimizerRadam as typeof optimizerRadam,
    rmsprop: optimizerRmsprop as typeof optimizerRmsprop,
    "schedule-free-adamw": optimizerScheduleFreeAdamw as typeof optimizerScheduleFreeAdamw,
    sgd: optimizerSgd as typeof optimizerSgd,
  },
  pruner: {
    halving: prunerHalving as typeof prunerHalving,
    hyperband: prunerHyperband as typeof prunerHyperband,
    median: prunerMedian as typeof prunerMedian,
    none: prunerNone as typeof prunerNone,
    percentile: prunerPercentile as typeof prunerPercentile,
  },
  queue: {
    directory: queueDirectory as typeof queueDirectory,
    memory: queueMemory as typeof queueMemory,
    nats: queueNats as typeof queueNats,
  },
  regularizer: {
    "adversarial-debiasing": regularizerAdversarialDebiasing as typeof regularizerAdversarialDebiasing,
    ewc: regularizerEwc as typeof regularizerEwc,
    "l2-sp": regularizerL2Sp as typeof regularizerL2Sp,
    mixout: regularizerMixout as typeof regularizerMixout,
    neftune: regularizerNeftune as typeof regularizerNeftune,
    "r-drop": regularizerRDrop as typeof regularizerRDrop,
  },
  schedule: {
    constant: scheduleConstant as typeof scheduleConstant,
    "constant-with-warmup": scheduleConstantWithWarmup as typeof scheduleConstantWithWarmup,
    cosine: scheduleCosine as typeof scheduleCosine,
    "cosine-with-min-lr": scheduleCosineWithMinLr as typeof scheduleCosineWithMinLr,
    "cosine-with-restarts": scheduleCosineWithRestarts as typeof scheduleCosineWithRestarts,
    "inverse-sqrt": scheduleInverseSqrt as typeof scheduleInverseSqrt,
    linear: scheduleLinear as typeof scheduleLinear,
    polynomial: schedulePolynomial as typeof schedulePolynomial,
    "warmup-stable-decay": scheduleWarmupStableDecay as typeof scheduleWarmupStableDecay,
  },
  search: {
    grid: searchGrid as typeof searchGrid,
    random: searchRandom as typeof searchRandom,
    tpe: searchTpe as typeof searchTpe,
  },
  store: {
    directory: storeDirectory as typeof storeDirectory,
    memory: storeMemory as typeof storeMemory,
    nats: storeNats as typeof storeNats,
  },
  task: {
    "causal-lm": taskCausalLm as typeof taskCausalLm,
    ctc: taskCtc as typeof taskCtc,
    denoising: taskDenoising as typeof taskDenoising,
    distillation: taskDistillation as typeof taskDistillation,
    "feature-extraction": taskFeatureExtraction as typeof taskFeatureExtraction,
    "masked-lm": taskMaskedLm as typeof taskMaskedLm,
    "multi-task": taskMultiTask as typeof taskMultiTask,
    "multiple-choice": taskMultipleChoice as typeof taskMultipleChoice,
    "permutation-lm": taskPermutationLm as typeof taskPermutationLm,
    pretraining: taskPretraining as typeof taskPretraining,
    "prompt-classification": taskPromptClassification as typeof taskPromptClassification,
    "question-answering": taskQuestionAnswering as typeof taskQuestionAnswering,
    "sentence-similarity": taskSentenceSimilarity as typeof taskSentenceSimilarity,
    "seq2seq-lm": taskSeq2seqLm as typeof taskSeq2seqLm,
    "sequence-classification": taskSequenceClassification as typeof taskSequenceClassification,
    "span-corruption": taskSpanCorruption as typeof taskSpanCorruption,
    "token-classification": taskTokenClassification as typeof taskTokenClassification,
  },
  tokenizer: {
    hf: tokenizerHf as typeof tokenizerHf,
    transformers: tokenizerTransformers as typeof tokenizerTransformers,
  },
  trainer: {
    ort: trainerOrt as typeof trainerOrt,
  },
  transform: {
    augment: transformAugment as typeof transformAugment,
    balance: transformBalance as typeof transformBalance,
    clean: transformClean as typeof transformClean,
    decontaminate: transformDecontaminate as typeof transformDecontaminate,
    dedupe: transformDedupe as typeof transformDedupe,
    filter: transformFilter as typeof transformFilter,
    "map-columns": transformMapColumns as typeof transformMapColumns,
    redact: transformRedact as typeof transformRedact,
    reweigh: transformReweigh as typeof transformReweigh,
    split: transformSplit as typeof transformSplit,
  },
} as const;
