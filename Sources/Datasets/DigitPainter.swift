import RandomNumbers

/// Draws one digit after the other on a canvas of its own. Lengths are in pixels.
struct DigitPainter {
    typealias Point = DigitSkeletons.Point

    private static let side = LabelledImages.side

    /// Coverage of each pixel, `[28, 28]`, row-major, 0 to 1.
    private var canvas = [Float](repeating: 0, count: LabelledImages.pixelCount)
    /// Straight pieces of the digit's strokes, and the pen's radius in the middle of each.
    private var segments: [(from: Point, to: Point, radius: Float)] = []
    private var random = Philox(seed: 0, purpose: .syntheticDigits)

    /// Draws the digit of a stream and returns its label.
    mutating func draw(_ stream: Philox) -> UInt8 {
        random = stream
        for index in canvas.indices { canvas[index] = 0 }
        segments.removeAll(keepingCapacity: true)
        let label = Int(random.integer(below: UInt32(LabelledImages.classCount)))
        let variants = DigitSkeletons.variants[label]
        let strokes = variants[Int(random.integer(below: UInt32(variants.count)))]
        let shape = Shape(&random)
        let radius = 0.6 + 1.1 * triangular()
        for stroke in strokes { trace(stroke, shape, radius) }
        centre()
        if random.uniform() < 0.25 { addStrayStroke() }
        let ink = 0.8 + 0.45 * random.uniform()
        for segment in segments { paint(segment) }
        applyInk(ink)
        return UInt8(label)
    }

    /// The canvas as grey levels, `[784]`.
    func write(to pixels: UnsafeMutableBufferPointer<UInt8>) {
        for index in canvas.indices {
            unsafe pixels[index] = UInt8(canvas[index] * 255 + 0.5)
        }
    }

    /// Between 0 and 1, mostly in the middle.
    private mutating func triangular() -> Float { (random.uniform() + random.uniform()) / 2 }

    /// The random changes that a whole digit undergoes.
    private struct Shape {
        /// Displacements on a grid over the box and a margin, `[4, 4]`, row-major.
        private var grid: [Point]
        private let xAxis: Point
        private let yAxis: Point

        init(_ random: inout Philox) {
            func between(_ low: Float, _ high: Float) -> Float {
                low + (high - low) * random.uniform()
            }
            let strength = between(0.03, 0.2)
            grid = (0..<16).map { _ in
                Point(between(-strength, strength), between(-strength, strength))
            }
            // (1 − t²)/(1 + t²) and 2t/(1 + t²) are cosine and sine of an angle, without either.
            let t = between(-0.18, 0.18)
            let cosine = (1 - t * t) / (1 + t * t)
            let sine = 2 * t / (1 + t * t)
            let height = between(14, 20)
            let width = height * between(0.45, 1)
            let slant = between(-0.15, 0.4)
            xAxis = Point(width * cosine, width * sine)
            yAxis = Point(-height * (sine + slant * cosine), height * (cosine - slant * sine))
        }

        /// From the box to pixels, about an origin of its own.
        func place(_ point: Point) -> Point {
            let moved = point + displacement(at: point)
            return xAxis * moved.x + yAxis * moved.y
        }

        private func displacement(at point: Point) -> Point {
            let position = ((point + 0.25) * 2).clamped(
                lowerBound: Point(repeating: 0), upperBound: Point(repeating: 2.999))
            let column = Int(position.x)
            let row = Int(position.y)
            let across = smooth(position.x - Float(column))
            let down = smooth(position.y - Float(row))
            let corner = 4 * row + column
            let top = grid[corner] + (grid[corner + 1] - grid[corner]) * across
            let bottom = grid[corner + 4] + (grid[corner + 5] - grid[corner + 4]) * across
            return top + (bottom - top) * down
        }

        private func smooth(_ t: Float) -> Float { t * t * (3 - 2 * t) }
    }

    /// Cuts a stroke's B-spline into straight pieces.
    private mutating func trace(_ stroke: DigitSkeletons.Stroke, _ shape: Shape, _ radius: Float) {
        var controls: [Point] = []
        var previous: Point?
        for (index, point) in stroke.enumerated() {
            // The two points of a corner stay together.
            if index > 0, stroke[index - 1] == point, let previous {
                controls.append(previous)
                continue
            }
            let jitter = Point(random.uniform() - 0.5, random.uniform() - 0.5) * 0.16
            let placed = shape.place(point + jitter)
            controls.append(placed)
            previous = placed
        }
        guard let first = controls.first, let last = controls.last else { return }
        let swelling = (random.uniform() - 0.5) * 0.5
        let pieces = 5
        var from = first
        for index in 1..<max(2, controls.count - 1) {
            let control = controls.count > 2 ? controls[index] : (first + last) / 2
            let end = index + 2 < controls.count ? (control + controls[index + 1]) / 2 : last
            let start = from
            for piece in 1...pieces {
                let t = Float(piece) / Float(pieces)
                let near = start + (control - start) * t
                let to = near + (control + (end - control) * t - near) * t
                let along = (Float(index - 1) + t) / Float(max(1, controls.count - 2))
                segments.append((from, to, radius * (1 + swelling * (2 * along - 1))))
                from = to
            }
        }
    }

    /// Moves the digit's centre of mass to the middle of the canvas, more or less.
    private mutating func centre() {
        var sum = Point(repeating: 0)
        var mass: Float = 0
        for segment in segments {
            let extent = segment.to - segment.from
            let length = (extent.x * extent.x + extent.y * extent.y).squareRoot()
            sum += (segment.from + segment.to) * (length / 2)
            mass += length
        }
        let offBy = Point(random.uniform() - 0.5, random.uniform() - 0.5) * 3
        let shift = Point(repeating: Float(Self.side) / 2) + offBy - sum / mass
        for index in segments.indices {
            segments[index].from += shift
            segments[index].to += shift
        }
    }

    /// A short line somewhere, as left by a slipping pen or a neighbour.
    private mutating func addStrayStroke() {
        let from = Point(random.uniform(), random.uniform()) * Float(Self.side)
        let by = Point(random.uniform() - 0.5, random.uniform() - 0.5) * 12
        segments.append((from, from + by, 0.4 + 0.8 * random.uniform()))
    }

    /// Covers what lies within the radius, with an edge one pixel wide.
    private mutating func paint(_ segment: (from: Point, to: Point, radius: Float)) {
        let reach = segment.radius + 0.5
        let along = segment.to - segment.from
        let lengthSquared = along.x * along.x + along.y * along.y
        let scale = lengthSquared > 0 ? 1 / lengthSquared : 0
        let columns = pixels(segment.from.x, segment.to.x, reach)
        for row in pixels(segment.from.y, segment.to.y, reach) {
            for column in columns {
                let toPixel = Point(Float(column) + 0.5, Float(row) + 0.5) - segment.from
                let projection = (toPixel.x * along.x + toPixel.y * along.y) * scale
                let t = min(max(projection, 0), 1)
                let away = toPixel - along * t
                let squared = away.x * away.x + away.y * away.y
                guard squared < reach * reach else { continue }
                let coverage = min(reach - squared.squareRoot(), 1)
                let index = row * Self.side + column
                canvas[index] = max(canvas[index], coverage)
            }
        }
    }

    /// The rows, or columns, of the canvas within reach of what lies between two coordinates.
    private func pixels(_ from: Float, _ to: Float, _ reach: Float) -> Range<Int> {
        let side = Float(Self.side)
        let first = Int(min(max(min(from, to) - reach, 0), side))
        let end = Int(min(max(max(from, to) + reach + 1, 0), side))
        return first..<max(first, end)
    }

    /// Strong or faint, uneven, with a few specks.
    private mutating func applyInk(_ ink: Float) {
        for index in canvas.indices where canvas[index] > 0 {
            canvas[index] = min(canvas[index] * ink * (0.85 + 0.3 * random.uniform()), 1)
        }
        for _ in 0..<random.integer(below: 5) {
            let index = Int(random.integer(below: UInt32(LabelledImages.pixelCount)))
            canvas[index] = max(canvas[index], random.uniform())
        }
    }
}
