/// How the digits are written: the strokes from which generated ones are drawn.
enum DigitSkeletons {
    typealias Point = SIMD2<Float>

    /// Control points of a quadratic B-spline, x to the right and y down, the digit's box being
    /// [0, 1]×[0, 1]. The curve begins at the first point and ends at the last; a point that occurs
    /// twice makes a corner.
    typealias Stroke = [Point]

    /// The ways to write each digit, as lists of strokes.
    static let variants: [[[Stroke]]] = [
        [  // 0
            [[at(50, 0), at(8, 0), at(0, 50), at(8, 100), at(50, 100)] + zeroRight],
            [[at(70, 6), at(22, -12), at(0, 60), at(20, 106), at(60, 100)] + zeroSlanted],
        ],
        [  // 1
            [[at(50, 0), at(50, 50), at(50, 100)]],
            [[at(24, 28), at(54, 0), at(54, 0), at(54, 50), at(54, 100)]],
            [
                [at(24, 24), at(54, 0), at(54, 0), at(54, 50), at(54, 100)],
                [at(24, 100), at(84, 100)],
            ],
        ],
        [  // 2
            [
                [at(8, 24), at(20, -6), at(88, -4), at(92, 40), at(48, 70)]
                    + [at(6, 100), at(6, 100), at(96, 100)]
            ],
            [
                [at(10, 20), at(35, -12), at(98, 0), at(78, 52), at(38, 96), at(2, 102)]
                    + [at(8, 74), at(42, 82), at(98, 100)]
            ],
            [
                [at(10, 4), at(80, -8), at(96, 30), at(60, 62), at(10, 96), at(10, 96)]
                    + [at(50, 88), at(96, 98)]
            ],
        ],
        [  // 3
            [
                [at(8, 10), at(48, -12), at(98, 10), at(82, 46), at(36, 48), at(36, 48)]
                    + threeBelly
            ],
            [[at(8, 0), at(86, 0), at(86, 0), at(42, 42), at(42, 42)] + threeBelly],
        ],
        [  // 4
            [
                [at(20, 0), at(8, 54), at(8, 54), at(92, 56)],
                [at(74, 10), at(72, 60), at(68, 100)],
            ],
            [
                [at(64, 0), at(4, 66), at(4, 66), at(96, 66)],
                [at(64, 0), at(66, 50), at(66, 100)],
            ],
            [
                [at(14, 4), at(12, 58), at(60, 58), at(86, 40), at(86, 0), at(86, 0)]
                    + [at(84, 50), at(80, 100)]
            ],
        ],
        [  // 5
            [[at(86, 0), at(20, 0), at(20, 0), at(15, 42), at(15, 42)] + fiveBelly],
            [
                [at(20, 4), at(15, 42), at(15, 42)] + fiveBelly,
                [at(20, 2), at(90, -2)],
            ],
            [
                [at(92, 2), at(28, -4), at(16, 30), at(30, 46), at(92, 50), at(86, 102)]
                    + [at(30, 106), at(4, 86)]
            ],
        ],
        [  // 6
            [
                [at(76, 0), at(28, 10), at(2, 62), at(14, 102), at(50, 102)]
                    + [at(92, 98), at(88, 54), at(50, 48), at(12, 58), at(10, 82)]
            ],
            [
                [at(46, 0), at(14, 50), at(10, 102), at(52, 102), at(90, 96), at(80, 60)]
                    + [at(46, 60), at(18, 84)]
            ],
        ],
        [  // 7
            [[at(4, 6), at(92, 0), at(92, 0), at(60, 50), at(38, 100)]],
            [
                [at(4, 4), at(92, 2), at(92, 2), at(62, 46), at(48, 100)],
                [at(28, 52), at(84, 48)],
            ],
            [[at(4, 22), at(8, 0), at(8, 0), at(98, -2), at(92, 10), at(52, 44), at(40, 100)]],
        ],
        [  // 8
            [
                [at(86, 14), at(50, -12), at(6, 8), at(26, 44), at(78, 56), at(98, 88)]
                    + [at(50, 112), at(2, 88), at(22, 58), at(74, 44), at(92, 16), at(70, 0)]
            ],
            [
                [at(50, 46), at(14, 44), at(12, 2), at(50, 0), at(88, 2), at(86, 44), at(50, 46)],
                [at(50, 46), at(6, 48), at(4, 100), at(50, 100), at(96, 100), at(94, 48)]
                    + [at(50, 46)],
            ],
        ],
        [  // 9
            [
                [at(86, 18), at(60, -8), at(8, 2), at(8, 54), at(50, 56), at(88, 36)]
                    + [at(88, 8), at(88, 8), at(86, 50), at(80, 100)]
            ],
            [
                [at(82, 12), at(56, -8), at(6, 6), at(12, 52), at(52, 52), at(86, 30)]
                    + [at(92, 60), at(80, 104), at(24, 100)]
            ],
        ],
    ]

    private static let zeroRight = [at(92, 100), at(100, 50), at(92, 0), at(50, 0)]
    private static let zeroSlanted = [at(98, 80), at(104, 0), at(60, 0), at(40, 14)]
    private static let threeBelly = [at(98, 48), at(98, 98), at(48, 106), at(4, 90)]
    private static let fiveBelly = [at(50, 30), at(98, 44), at(92, 98), at(40, 106), at(4, 90)]

    /// A point in hundredths of the box.
    private static func at(_ x: Int, _ y: Int) -> Point { Point(Float(x), Float(y)) / 100 }
}
