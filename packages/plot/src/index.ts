/** The public surface. */
export { Figure, type PngOptions, type Spec, type SvgOptions } from "./figure.js";
export type { FigureOptions, Numbers } from "./options.js";
export { configurePng, type WasmSource } from "./png.js";
export { plotBars, type Bar, type BarsOptions } from "./bars.js";
export { plotConfusionMatrix, type ConfusionMatrixOptions } from "./confusion.js";
export { plotCurves, type CurvesOptions, type Run, type Runs } from "./curves.js";
export { plotHistogram, type HistogramOptions } from "./histogram.js";
export { plotParity, plotResiduals, type RegressionPlotOptions } from "./regression.js";
export { plotCalibration, plotScores, type CalibrationPlotOptions, type ScoresOptions } from "./probabilities.js";
export { plotPrecisionRecall, plotRoc, type Curves } from "./thresholds.js";
