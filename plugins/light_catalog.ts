/**
 * The plugins of a server that computes with no model: the tokenizers of models, and metrics. Written by build/catalog.ts; hosts may hand in another catalog.
 * @module
 */
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
import { hf as tokenizerHf } from "./tokenizers/hf.ts";

/** Hugging Face's tokenizers, and every metric. */
export const lightCatalog = {
  metric: {
    accuracy: metricAccuracy as typeof metricAccuracy,
    "average-precision": metricAveragePrecision as typeof metricAveragePrecision,
    "balanced-accuracy": metricBalancedAccuracy as typeof metricBalancedAccuracy,
    bleu: metricBleu as typeof metricBleu,
    brier: metricBrier as typeof metricBrier,
    "by-group": metricByGroup as typeof metricByGroup,
    cer: metricCer as typeof metricCer,
    chrf: metricChrf as typeof metricChrf,
    "cohen-kappa": metricCohenKappa as typeof metricCohenKappa,
    "demographic-parity": metricDemographicParity as typeof metricDemographicParity,
    "disparate-impact": metricDisparateImpact as typeof metricDisparateImpact,
    "equal-opportunity": metricEqualOpportunity as typeof metricEqualOpportunity,
    "equalized-odds": metricEqualizedOdds as typeof metricEqualizedOdds,
    "exact-match": metricExactMatch as typeof metricExactMatch,
    "expected-calibration-error": metricExpectedCalibrationError as typeof metricExpectedCalibrationError,
    "f-beta": metricFBeta as typeof metricFBeta,
    f1: metricF1 as typeof metricF1,
    "kendall-tau": metricKendallTau as typeof metricKendallTau,
    "log-loss": metricLogLoss as typeof metricLogLoss,
    mae: metricMae as typeof metricMae,
    "matthews-correlation": metricMatthewsCorrelation as typeof metricMatthewsCorrelation,
    meteor: metricMeteor as typeof metricMeteor,
    mse: metricMse as typeof metricMse,
    pearson: metricPearson as typeof metricPearson,
    perplexity: metricPerplexity as typeof metricPerplexity,
    "pr-auc-trapezoid": metricPrAucTrapezoid as typeof metricPrAucTrapezoid,
    precision: metricPrecision as typeof metricPrecision,
    "precision-recall-f1": metricPrecisionRecallF1 as typeof metricPrecisionRecallF1,
    r2: metricR2 as typeof metricR2,
    recall: metricRecall as typeof metricRecall,
    rmse: metricRmse as typeof metricRmse,
    "roc-auc": metricRocAuc as typeof metricRocAuc,
    rouge: metricRouge as typeof metricRouge,
    seqeval: metricSeqeval as typeof metricSeqeval,
    spearman: metricSpearman as typeof metricSpearman,
    squad: metricSquad as typeof metricSquad,
    "squad-v2": metricSquadV2 as typeof metricSquadV2,
    ter: metricTer as typeof metricTer,
    "top-k-accuracy": metricTopKAccuracy as typeof metricTopKAccuracy,
    wer: metricWer as typeof metricWer,
  },
  tokenizer: {
    hf: tokenizerHf as typeof tokenizerHf,
  },
} as const;
