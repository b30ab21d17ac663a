import Hashing
import Report

/// The plan that was fixed before the data.
extension StudyPlan {
    /// `Study.md` of the documentation, as it was when this program was built.
    package static let text = String(decoding: PackageResources.Study_md, as: UTF8.self)

    /// Over the text's bytes, lower-case hexadecimal.
    package static let sha256 = "\(SHA256.hash(PackageResources.Study_md))"
}

extension StudyReport {
    static let planID = "plan"

    var planSentence: String {
        "The claims, their tests and margins were fixed before the data, in the plan at the end of this "
            + "page (SHA-256 \(StudyPlan.sha256))."
    }

    var planSection: ReportPage.Section {
        ReportPage.Section(
            Self.planID, title: "The plan",
            blocks: [
                .paragraph(
                    "This study followed Study.md of the documentation, SHA-256 "
                        + "\(StudyPlan.sha256), in its \(study.plan.size.rawValue) form."),
                .document(title: "Study.md", text: StudyPlan.text),
            ])
    }
}
