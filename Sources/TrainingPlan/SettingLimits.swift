/// The bounds of the settings of a run and of its placement, each with its reason.
package enum SettingLimits {
    /// 256 MB of weights; optimiser and gradients take several times that.
    package static let maximumParameterCount = 1 << 26
    /// Deeper nets of plain dense layers do not train.
    package static let maximumLayers = 64
    /// Keeps every product of two widths far from overflow.
    package static let maximumLayerWidth = 1 << 16
    /// More examples a step than this leave no steps to train with.
    package static let maximumBatchSize = 1 << 20
    /// Keeps the count of steps far from overflow.
    package static let maximumEpochs = 1_000_000
    /// Keeps a warm-up far from overflow.
    package static let maximumWarmupSteps = 1 << 40
    /// A run's name is a folder's name.
    package static let maximumNameLength = 64
    /// More shards than this make frames too small to pay for themselves.
    package static let maximumServers = 64
}
