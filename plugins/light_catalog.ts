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
import type { catalog } from "./catalog.ts";

type Plugins = Pick<typeof catalog, "metric"> & Readonly<{ tokenizer: Pick<typeof catalog["tokenizer"], "hf"> }>;

/** Hugging Face's tokenizers, and every metric. */
export const lightCatalog: Plugins = {
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
  tokenizer: {
    hf: tokenizerHf,
  },
};
