import Formats
import Foundation

extension DigitGallery {
    func drawn(_ size: ChartSize) -> DrawnChart {
        let columns = size == .wide ? 6 : 4
        let cell = size.width / Double(columns)
        let side = size.width / (size == .wide ? 10 : 6)
        let lineHeight = 15.0
        let lines = digits.map { digit in
            digit.caption.split(separator: "\n", omittingEmptySubsequences: false).flatMap {
                TextWidth.lines(String($0), width: cell - 8, size: 13)
            }
        }
        let height = side + lineHeight * Double(lines.map(\.count).max() ?? 0) + 22
        var canvas = SVGCanvas()
        for (index, digit) in digits.enumerated() {
            let x = cell * Double(index % columns)
            let y = height * Double(index / columns)
            let image = Data(PNG.grey(digit.pixels.map { 255 - $0 }, width: 28, height: 28))
            canvas.markup.empty(
                "image",
                [
                    "class": "digit", "x": Markup.number(x + (cell - side) / 2),
                    "y": Markup.number(y), "width": Markup.number(side),
                    "height": Markup.number(side),
                    "href": "data:image/png;base64,\(image.base64EncodedString())",
                ])
            for (line, text) in lines[index].enumerated() {
                canvas.text(
                    text, x: x + cell / 2, y: y + side + lineHeight * Double(line + 1),
                    anchor: .middle)
            }
        }
        let rows = (digits.count + columns - 1) / columns
        return DrawnChart(height: max(height * Double(rows), 8), markup: canvas.markup.text)
    }
}
