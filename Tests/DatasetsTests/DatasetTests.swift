import Datasets
import Hashing
import Testing

@Suite struct DatasetTests {
    @Test func aPayloadIsReadBack() throws {
        let dataset = try SmallSet.dataset()
        #expect(dataset.sha256 == SmallSet.sha256)
        #expect(dataset.payloadByteCount == SmallSet.payload.count)
        #expect(dataset.payloadChunk(offset: 0, byteCount: .max) == SmallSet.payload)
        for part in DatasetPart.allCases {
            #expect(dataset.sha256(of: part) == SHA256.hash(SmallSet.file(part)))
        }
    }

    @Test(arguments: [1, 7, 16, 784, 1000, 5000])
    func chunksMakeUpThePayload(byteCount: Int) throws {
        let dataset = try SmallSet.dataset()
        var payload = [UInt8]()
        while payload.count < dataset.payloadByteCount {
            let chunk = dataset.payloadChunk(offset: payload.count, byteCount: byteCount)
            #expect(chunk.count == min(byteCount, SmallSet.payload.count - payload.count))
            payload += chunk
        }
        #expect(payload == SmallSet.payload)
        #expect(dataset.payloadChunk(offset: payload.count, byteCount: 1).isEmpty)
    }

    @Test func aCutOrLongerPayloadIsAnError() {
        for length in SmallSet.payload.indices {
            #expect(throws: DatasetError.self) {
                try Dataset(payload: Array(SmallSet.payload.prefix(length)), origin: "a test")
            }
        }
        #expect(throws: DatasetError.self) {
            try Dataset(payload: SmallSet.payload + [0], origin: "a test")
        }
    }

    @Test(arguments: [
        (nil, "idx-\("\(SmallSet.sha256)".prefix(12))"),
        ("fashion", "fashion"),
        ("mnist", "idx-\("\(SmallSet.sha256)".prefix(12))"),
    ])
    func onlyMNISTIsCalledMNIST(given: String?, name: String) throws {
        let dataset = try Dataset(payload: SmallSet.payload, name: given, origin: "a test")
        #expect(dataset.name == name)
    }

    @Test func partsShareTheWhole() throws {
        let train = try SmallSet.dataset().train
        #expect(Array(train.prefix(2).labels) == [9, 0])
        #expect(train.prefix(2).pixels == train.pixels.prefix(2 * 784))
        let last = train.suffix(1)
        #expect(last.count == 1 && last[0].label == 4)
        #expect(Array(last[0].pixels) == SmallSet.pixels.suffix(784))
        #expect(train.prefix(train.count) == train && train.suffix(0).count == 0)
    }
}
