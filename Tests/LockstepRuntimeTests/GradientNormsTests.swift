import LockstepRuntime
import NeuralNetwork
import Testing
import TrainingPlan

@Suite struct GradientNormsTests {
    @Test func layersAreSummedRowByRow() {
        let rows = GradientRows(ParameterLayout(widths: [2, 3, 1]))
        // Two kernel rows and the bias, then three and the bias.
        #expect(rows.count == 7)
        #expect(rows.layerSums(FloatBuffer([1, 2, 4, 8, 16, 32, 64])) == [7, 120])
    }
}
