using System.Text;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Data.Eeg;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Tests.Engine.Eeg;

public sealed class PickleReaderTests
{
    // {'data': arange(6).reshape(2, 3) * 1.5 - 200.25, 'labels': [[1, 2], [3, 4]] in Fortran's order}, written by Python 3.11 with NumPy
    // 1.24.
    private static readonly string[] ByProtocol =
    [
        "KGRwMApWZGF0YQpwMQpjbnVtcHkuY29yZS5tdWx0aWFycmF5Cl9yZWNvbnN0cnVjdApwMgooY251bXB5Cm5kYXJyYXkKcDMKKEkwCnRwNApjX2NvZGVjcwplbmNvZGUKcDUKKFZiCnA2ClZsYXRpbjEKcDcKdHA4ClJwOQp0cDEwClJwMTEKKEkxCihJMgpJMwp0cDEyCmNudW1weQpkdHlwZQpwMTMKKFZmOApwMTQKSTAwCkkwMQp0cDE1ClJwMTYKKEkzClY8CnAxNwpOTk5JLTEKSS0xCkkwCnRwMTgKYkkwMApnNQooVlx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMAhpwFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMNhowFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMKhowFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMHhowFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMEhowFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMBhowApwMTkKZzcKdHAyMApScDIxCnRwMjIKYnNWbGFiZWxzCnAyMwpnMgooZzMKKEkwCnRwMjQKZzkKdHAyNQpScDI2CihJMQooSTIKSTIKdHAyNwpnMTYKSTAxCmc1CihWXHUwMDAwXHUwMDAwXHUwMDAwXHUwMDAwXHUwMDAwXHUwMDAw8D9cdTAwMDBcdTAwMDBcdTAwMDBcdTAwMDBcdTAwMDBcdTAwMDAIQFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMFx1MDAwMEBcdTAwMDBcdTAwMDBcdTAwMDBcdTAwMDBcdTAwMDBcdTAwMDAQQApwMjgKZzcKdHAyOQpScDMwCnRwMzEKYnMu",
        "fXEAKFgEAAAAZGF0YXEBY251bXB5LmNvcmUubXVsdGlhcnJheQpfcmVjb25zdHJ1Y3QKcQIoY251bXB5Cm5kYXJyYXkKcQMoSwB0cQRjX2NvZGVjcwplbmNvZGUKcQUoWAEAAABicQZYBgAAAGxhdGluMXEHdHEIUnEJdHEKUnELKEsBKEsCSwN0cQxjbnVtcHkKZHR5cGUKcQ0oWAIAAABmOHEOSTAwCkkwMQp0cQ9ScRAoSwNYAQAAADxxEU5OTkr/////Sv////9LAHRxEmJJMDAKaAUoWDgAAAAAAAAAAAhpw4AAAAAAAMOYaMOAAAAAAADCqGjDgAAAAAAAeGjDgAAAAAAASGjDgAAAAAAAGGjDgHETaAd0cRRScRV0cRZiWAYAAABsYWJlbHNxF2gCKGgDKEsAdHEYaAl0cRlScRooSwEoSwJLAnRxG2gQSTAxCmgFKFghAAAAAAAAAAAAw7A/AAAAAAAACEAAAAAAAAAAQAAAAAAAABBAcRxoB3RxHVJxHnRxH2J1Lg==",
        "gAJ9cQAoWAQAAABkYXRhcQFjbnVtcHkuY29yZS5tdWx0aWFycmF5Cl9yZWNvbnN0cnVjdApxAmNudW1weQpuZGFycmF5CnEDSwCFcQRjX2NvZGVjcwplbmNvZGUKcQVYAQAAAGJxBlgGAAAAbGF0aW4xcQeGcQhScQmHcQpScQsoSwFLAksDhnEMY251bXB5CmR0eXBlCnENWAIAAABmOHEOiYiHcQ9ScRAoSwNYAQAAADxxEU5OTkr/////Sv////9LAHRxEmKJaAVYOAAAAAAAAAAACGnDgAAAAAAAw5how4AAAAAAAMKoaMOAAAAAAAB4aMOAAAAAAABIaMOAAAAAAAAYaMOAcRNoB4ZxFFJxFXRxFmJYBgAAAGxhYmVsc3EXaAJoA0sAhXEYaAmHcRlScRooSwFLAksChnEbaBCIaAVYIQAAAAAAAAAAAMOwPwAAAAAAAAhAAAAAAAAAAEAAAAAAAAAQQHEcaAeGcR1ScR50cR9idS4=",
        "gAN9cQAoWAQAAABkYXRhcQFjbnVtcHkuY29yZS5tdWx0aWFycmF5Cl9yZWNvbnN0cnVjdApxAmNudW1weQpuZGFycmF5CnEDSwCFcQRDAWJxBYdxBlJxByhLAUsCSwOGcQhjbnVtcHkKZHR5cGUKcQlYAgAAAGY4cQqJiIdxC1JxDChLA1gBAAAAPHENTk5OSv////9K/////0sAdHEOYolDMAAAAAAACGnAAAAAAADYaMAAAAAAAKhowAAAAAAAeGjAAAAAAABIaMAAAAAAABhowHEPdHEQYlgGAAAAbGFiZWxzcRFoAmgDSwCFcRJoBYdxE1JxFChLAUsCSwKGcRVoDIhDIAAAAAAAAPA/AAAAAAAACEAAAAAAAAAAQAAAAAAAABBAcRZ0cRdidS4=",
    ];

    private const string Protocol4 =
        "gASVDgEAAAAAAAB9lCiMBGRhdGGUjBVudW1weS5jb3JlLm11bHRpYXJyYXmUjAxfcmVjb25zdHJ1Y3SUk5SMBW51bXB5lIwHbmRhcnJheZSTlEsAhZRDAWKUh5RSlChLAUsCSwOGlGgFjAVkdHlwZZSTlIwCZjiUiYiHlFKUKEsDjAE8lE5OTkr/////Sv////9LAHSUYolDMAAAAAAACGnAAAAAAADYaMAAAAAAAKhowAAAAAAAeGjAAAAAAABIaMAAAAAAABhowJR0lGKMBmxhYmVsc5RoBGgHSwCFlGgJh5RSlChLAUsCSwKGlGgRiEMgAAAAAAAA8D8AAAAAAAAIQAAAAAAAAABAAAAAAAAAEECUdJRidS4=";

    /// <summary>A pickle that would run a shell command.</summary>
    private const string Hostile = "gAJ9cQBYBAAAAGRhdGFxAWNwb3NpeApzeXN0ZW0KcQJYCgAAAGVjaG8gaGVsbG9xA4VxBFJxBXMu";

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public void Arrays_that_Python_wrote_are_read(int protocol)
    {
        var arrays = Read(Convert.FromBase64String(ByProtocol[protocol]));
        Assert.That(arrays.Keys, Is.EquivalentTo(new[] { "data", "labels" }));
        Assert.That(arrays["data"].Shape, Is.EqualTo(new[] { 2, 3 }));
        Assert.That(arrays["data"].ToFloats(), Is.EqualTo(new[] { -200.25f, -198.75f, -197.25f, -195.75f, -194.25f, -192.75f }));
        Assert.That(arrays["labels"].ToFloats(), Is.EqualTo(new[] { 1f, 2, 3, 4 }));
    }

    [Test]
    public void What_the_writer_writes_comes_back()
    {
        double[] values = [.. Enumerable.Range(0, 300 * 2).Select(i => Math.Sin(i) * 1e3)];
        byte[] bytes = Write(("labels", [2], [5.5, 6.5]), ("data", [300, 2], values));
        var arrays = Read(bytes);
        Assert.That(arrays["data"].Shape, Is.EqualTo(new[] { 300, 2 }));
        Assert.That(arrays["data"].ToFloats(), Is.EqualTo(values.Select(v => (float)v)));
        Assert.That(arrays["labels"].ToFloats(), Is.EqualTo(new[] { 5.5f, 6.5f }));
        Assert.That(Encoding.Latin1.GetString(bytes), Does.StartWith("\u0080\u0002}(U\u0006labelscnumpy.core.multiarray\n_reconstruct\n"),
            "Python 2's protocol 2");
    }

    [Test]
    public void A_pickle_that_would_run_a_program_is_refused_by_name()
    {
        var error = Assert.Throws<DataException>(() => Read(Convert.FromBase64String(Hostile)))!;
        Assert.That(error.Message, Does.Contain("posix system").And.Contain("could run a program"));
        HostileBytes.AssertOneSentence(error.Message);
    }

    [TestCase("cbuiltins\neval\n.", "builtins eval")]
    [TestCase("cnumpy\nload\n.", "numpy load")]
    [TestCase("cnumpy\nndarray\n(tR.", "unusual arguments")]
    [TestCase("(S'x'\nios\nsystem\n.", "instruction 'i'")]
    [TestCase("}.", null)]
    [TestCase("}}.", "not one dictionary")]
    [TestCase("}S'a'\nI1\ns.", "not an array")]
    [TestCase("}(S'a'\nu.", "items without")]
    [TestCase("T\u00ff\u00ff\u00ff\u007f.", "2147483647 bytes")]
    [TestCase("T\u00ff\u00ff\u00ff\u00ff.", "-1 bytes")]
    [TestCase("g7\n.", "memo entry 7")]
    [TestCase("u.", "without its mark")]
    [TestCase("(}s.", "without its operands")]
    [TestCase("I99999999999999999999\n.", "as an integer")]
    [TestCase("}.x", "4")]
    [TestCase("", "ends early")]
    public void Other_instructions_are_refused(string pickle, string? complaint)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(pickle);
        if (complaint is null)
            Assert.That(Read(bytes), Is.Empty);
        else
            Assert.That(() => Read(bytes), Throws.TypeOf<DataException>().With.Message.Contains(complaint == "4" ? "3 bytes" : complaint));
    }

    [Test]
    public void A_protocol_that_these_files_never_have_is_refused() =>
        Assert.That(() => Read(Convert.FromBase64String(Protocol4)), Throws.TypeOf<DataException>().With.Message.Contains("protocol 4"));

    [Test]
    public void Copying_the_same_bytes_over_and_over_is_refused()
    {
        // One text of 4 MB in the memo, then thousands of requests to turn it into bytes.
        byte[] text = new byte[4 << 20];
        text.AsSpan().Fill((byte)'a');
        byte[] again = Encoding.Latin1.GetBytes("g1\n(g0\nS'latin1'\ntR");
        using var stream = new MemoryStream();
        stream.Write([(byte)'X', .. BitConverter.GetBytes(text.Length), .. text, .. "p0\n"u8, .. "c_codecs\nencode\np1\n"u8]);
        for (int i = 0; i < 2000; i++)
            stream.Write(again);
        stream.Write("."u8);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => Read(stream.ToArray()), Throws.TypeOf<DataException>().With.Message.Contains("over and over"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(64 << 20));
    }

    [Test]
    public void Damaged_files_are_refused_whatever_the_damage()
    {
        HostileBytes.Check(Convert.FromBase64String(ByProtocol[0]), bytes => Read(bytes));
        HostileBytes.Check(Convert.FromBase64String(ByProtocol[2]), bytes => Read(bytes), seed: 2);
        HostileBytes.Check(Write(("labels", [2], [5, 6]), ("data", [2, 2], [1, 2, 3, 4])), bytes => Read(bytes), seed: 3);
    }

    public static byte[] Write(params (string Name, int[] Shape, double[] Values)[] arrays)
    {
        using var stream = new MemoryStream();
        PickleWriter.Write(stream, arrays);
        return stream.ToArray();
    }

    private static IReadOnlyDictionary<string, NpyArray> Read(byte[] bytes) => PickleReader.Read(new MemoryStream(bytes), "s01.dat");
}
