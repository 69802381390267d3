/**
 * Figures of training, results and models.
 *
 * @module @torte/plot
 */
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
export { plotArchitecture, type ArchitectureOptions } from "./architecture.js";
export { GraphFigure, plotGraph, type GraphOptions } from "./graph.js";
export type { DrawnModel } from "./structure.js";
export { plotActivations, type ActivationFunction, type ActivationsOptions } from "./activations.js";
export { plotGradientFlow } from "./gradient-flow.js";
export { plotLearningRateRange } from "./learning-rate.js";
export { Animation, type GifOptions } from "./animation.js";
export { plotDropout, type DropoutPlotOptions } from "./dropout.js";
export { plotEmbedding, principalComponents, type Components, type EmbeddingPlotOptions } from "./embedding.js";
export { plotEquivariance, type EquivariancePlotOptions } from "./equivariance.js";
export { plotFilters, type FiltersOptions } from "./filters.js";
export { plotHistograms, Recording, type HistogramsOptions, type Recorded, type RecordOptions } from "./recording.js";
export { plotSaliency, type SaliencyPlotOptions } from "./saliency.js";
export {
  plotStudyCurves,
  plotStudyHistory,
  plotStudySlice,
  type DrawnStudy,
  type StudyParameter,
  type StudyTrial,
} from "./study.js";
export { plotStudyContour, plotStudyParallel } from "./study-settings.js";
export { plotStudyFront, plotStudyTimeline } from "./study-course.js";
export { plotWindows, type WindowsOptions } from "./windows.js";
