/** Every metric of this repository by its name. */
import type { Entry, Named } from "../../../core/types.ts";
import { accuracy } from "../../../plugins/metrics/accuracy.ts";
import { averagePrecision } from "../../../plugins/metrics/average_precision.ts";
import { balancedAccuracy } from "../../../plugins/metrics/balanced_accuracy.ts";
import { bleu } from "../../../plugins/metrics/bleu.ts";
import { brier } from "../../../plugins/metrics/brier.ts";
import { cer } from "../../../plugins/metrics/cer.ts";
import { chrf } from "../../../plugins/metrics/chrf.ts";
import { cohenKappa } from "../../../plugins/metrics/cohen_kappa.ts";
import { exactMatch } from "../../../plugins/metrics/exact_match.ts";
import { expectedCalibrationError } from "../../../plugins/metrics/expected_calibration_error.ts";
import { f1 } from "../../../plugins/metrics/f1.ts";
import { fBeta } from "../../../plugins/metrics/f_beta.ts";
import { kendallTau } from "../../../plugins/metrics/kendall_tau.ts";
import { logLoss } from "../../../plugins/metrics/log_loss.ts";
import { mae } from "../../../plugins/metrics/mae.ts";
import { matthewsCorrelation } from "../../../plugins/metrics/matthews_correlation.ts";
import { meteor } from "../../../plugins/metrics/meteor.ts";
import { mse } from "../../../plugins/metrics/mse.ts";
import { pearson } from "../../../plugins/metrics/pearson.ts";
import { perplexity } from "../../../plugins/metrics/perplexity.ts";
import { prAucTrapezoid } from "../../../plugins/metrics/pr_auc_trapezoid.ts";
import { precision } from "../../../plugins/metrics/precision.ts";
import { precisionRecallF1 } from "../../../plugins/metrics/precision_recall_f1.ts";
import { r2 } from "../../../plugins/metrics/r2.ts";
import { recall } from "../../../plugins/metrics/recall.ts";
import { rmse } from "../../../plugins/metrics/rmse.ts";
import { rocAuc } from "../../../plugins/metrics/roc_auc.ts";
import { rouge } from "../../../plugins/metrics/rouge.ts";
import { seqeval } from "../../../plugins/metrics/seqeval.ts";
import { spearman } from "../../../plugins/metrics/spearman.ts";
import { squad } from "../../../plugins/metrics/squad.ts";
import { squadV2 } from "../../../plugins/metrics/squad_v2.ts";
import { ter } from "../../../plugins/metrics/ter.ts";
import { topKAccuracy } from "../../../plugins/metrics/top_k_accuracy.ts";
import { wer } from "../../../plugins/metrics/wer.ts";

/** All metrics. */
export const metrics: readonly Entry<"metric">[] = [
  accuracy,
  averagePrecision,
  balancedAccuracy,
  bleu,
  brier,
  cer,
  chrf,
  cohenKappa,
  exactMatch,
  expectedCalibrationError,
  f1,
  fBeta,
  kendallTau,
  logLoss,
  mae,
  matthewsCorrelation,
  meteor,
  mse,
  pearson,
  perplexity,
  prAucTrapezoid,
  precision,
  precisionRecallF1,
  r2,
  recall,
  rmse,
  rocAuc,
  rouge,
  seqeval,
  spearman,
  squad,
  squadV2,
  ter,
  topKAccuracy,
  wer,
];

/** By name. */
export const metricCatalog: Named<Entry<"metric">> = Object.fromEntries(metrics.map((entry) => [entry.use, entry]));
