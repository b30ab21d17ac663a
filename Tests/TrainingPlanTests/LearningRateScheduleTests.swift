import Foundation
import Testing
import TrainingPlan

struct LearningRateScheduleTests {
    @Test func constantStays() {
        let schedule = LearningRateSchedule()
        for step in [0, 1, 99, 1000] {
            #expect(schedule.rate(base: 0.1, step: step, totalSteps: 100) == 0.1)
        }
    }

    @Test(arguments: [
        (0, 1.0), (29, 1), (30, 0.1), (59, 0.1), (60, 0.01), (89, 0.01), (90, 0.01),
    ])
    func stepDividesByTenAtEachThird(step: Int, expected: Double) {
        let schedule = LearningRateSchedule(shape: .step)
        #expect(schedule.rate(base: 1, step: step, totalSteps: 90) == expected)
    }

    @Test(arguments: LearningRateSchedule.Shape.allCases)
    func warmupClimbsLinearlyToTheBase(shape: LearningRateSchedule.Shape) {
        let schedule = LearningRateSchedule(shape: shape, warmupSteps: 4)
        let rates = (0..<5).map { schedule.rate(base: 2, step: $0, totalSteps: 100) }
        #expect(rates == [0.5, 1, 1.5, 2, 2])
    }

    @Test(arguments: [0, 10])
    func cosineFollowsCos(warmupSteps: Int) {
        let schedule = LearningRateSchedule(shape: .cosine, warmupSteps: warmupSteps)
        for step in warmupSteps...1000 {
            let progress = Double(step - warmupSteps) / Double(1000 - warmupSteps)
            let expected = 0.3 * (1 + cos(.pi * progress)) / 2
            let rate = schedule.rate(base: 0.3, step: step, totalSteps: 1000)
            #expect(abs(rate - expected) < 1e-14, "step \(step)")
        }
    }

    @Test func cosineBeginsAtTheBaseIsHalfInTheMiddleAndNothingAtTheEnd() {
        let schedule = LearningRateSchedule(shape: .cosine)
        #expect(schedule.rate(base: 0.3, step: 0, totalSteps: 100) == 0.3)
        #expect(abs(schedule.rate(base: 0.3, step: 50, totalSteps: 100) - 0.15) < 1e-15)
        #expect(abs(schedule.rate(base: 0.3, step: 100, totalSteps: 100)) < 1e-15)
    }
}
