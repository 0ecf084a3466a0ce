using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Cli;

/// <summary>Small inputs and commands with the right answer: files of $VAE_SHARED/cases, and their like made here.</summary>
[Parallelizable]
public sealed class CaseTests
{
    [Test]
    public void Posteriors_far_apart_have_the_logarithm_of_their_number([Values] bool shared)
    {
        const int Points = 200, Factors = 30;
        string file = shared ? TestFiles.SharedCase("x10_separated_200x30.npz")
            : Encodings(Points, Factors, (m, h) => 3e4f * (m - Points / 2) * (h % 2 == 0 ? 1 : -1), (_, _) => -4);
        var json = Tool.Run("estimate", file, "--json").Json();
        Assert.That(json.GetProperty("mi_mixture_nats").GetDouble(), Is.EqualTo(Math.Log(Points)).Within(1e-4));
    }

    [Test]
    public void A_header_of_npy_has_its_keys_in_any_order([Values] bool shared)
    {
        string file = shared ? TestFiles.SharedCase("npy_key_order.npz") : KeysInAnotherOrder();
        Assert.That(Tool.Run("estimate", file, "--json").Json().GetProperty("points").GetInt32(), Is.GreaterThan(0));
    }

    [Test]
    public void One_record_has_no_information([Values] bool shared)
    {
        string file = shared ? TestFiles.SharedCase("one_point.npz") : Encodings(1, 3, (_, h) => 1 + h, (_, _) => -0.5f);
        var result = Tool.Run("estimate", file, "--plain").Succeeded();
        Assert.That(result.Out,
            Does.Match(@"an upper bound: 0\.000 nats from 1 point\b").And.Contain("\n0 of 3 factors carry more than 0.5 nats"));
        Assert.That(result.Out, Does.Contain("by the mixture of 1 encoding:"));
        Assert.That(result.Error, Does.Contain("one record has no information (ceiling ln 1 = 0)"));
        var json = Tool.Run("estimate", file, "--json").Json();
        foreach (string key in (string[])["mi_nats", "mi_mixture_nats"])
            Assert.That(json.GetProperty(key).GetDouble(), Is.EqualTo(0).Within(1e-6), key);
        Assert.That(json.GetProperty("d4_nats").GetDouble(), Is.EqualTo(json.GetProperty("d5_nats").GetDouble()).Within(1e-9));
    }

    [Test]
    public void A_constant_code_is_not_influential_wherever_its_mean_is()
    {
        string file = Encodings(50, 2, (_, _) => 3, (_, _) => -1);
        string text = Tool.Run("estimate", file, "--plain").Succeeded().Out;
        Assert.That(text,
            Does.Match(@"an upper bound: 0\.000 nats from 50 points \(I4\)").And.Contain("\n0 of 2 factors carry more than 0.5 nats")
                .And.Contain("a mean other than 0"));
        var factor = Tool.Run("estimate", file, "--json").Json().GetProperty("factors")[0];
        Assert.That(factor.GetProperty("mi_nats").GetDouble(), Is.EqualTo(0.5 * Math.Log(1 + 9 / Math.Exp(-1))).Within(1e-5),
            "(I2) as it is defined");
        Assert.That(factor.GetProperty("influential").GetBoolean(), Is.False);
    }

    [Test]
    public void Nothing_that_rounds_to_0_is_printed_with_a_sign([Values] bool shared)
    {
        string file = shared ? TestFiles.SharedCase("collapsed_10000x5.npz")
            : Encodings(3000, 5, (m, h) => 1e-4f * ((m * 7919 + h * 104729) % 199 - 99), (m, h) => 1e-4f * ((m * 15485863 + h) % 101 - 50));
        var result = Tool.Run("estimate", file, "--plain").Succeeded();
        Assert.That(result.Out, Does.Match(@"\b0\.000 nats, standard error").And.Not.Match(@"-0\.0+(?![\d])"));
    }

    [Test]
    public void A_gzip_file_without_its_last_bytes_is_refused([Values] bool shared)
    {
        string work = TestFiles.Folder("cli-gzip"), data = shared ? TestFiles.SharedCase("gz_no_trailer") : WithoutTrailers(work);
        string run = Path.Combine(work, "run");
        Tool.Fails(Tool.Run("train", "vae", "--data-dir", data, "--network", "mlp:4", "--latents", "1", "--epochs", "1", "--out", run), 4,
            "-images-idx3-ubyte.gz", "the gzip member lacks its last bytes", "checksum and length");
        Assert.That(Directory.Exists(run), Is.False, "nothing half-written");
    }

    [Test]
    public void Counters_of_batches_are_passed_over_with_a_note([Values] bool shared)
    {
        string work = TestFiles.Folder("cli-counters");
        string file = shared ? TestFiles.SharedCase("bn_state_dict.safetensors") : WithCounters(work);
        var result = Tool.Run("import", file, "--model", "vae", "--data", "mnist", "--network", "mlp:2", "--latents", "1", "--set",
            "batch_norm=all",
            "--out", Path.Combine(work, "imported")).Succeeded();
        Assert.That(result.Error, Does.Contain("num_batches_tracked").And.Contain("I64").And.Contain("ignored"));
    }

    [Test]
    public void Pictures_that_hold_0_and_1_of_255_are_refused([Values] bool shared)
    {
        string work = TestFiles.Folder("cli-dark"), data = shared ? TestFiles.SharedCase("folder_01") : Path.Combine(work, "data");
        for (int i = 0; !shared && i < 12; i++)
            AtomicFile.WriteBytes(Path.Combine(data, "folder", $"{i}.png"),
                Png.Encode(new(64, 64, 1, [.. Enumerable.Range(0, 64 * 64).Select(p => (byte)((p + i) / 5 % 2))])));
        string run = Path.Combine(work, "run");
        Tool.Fails(Tool.Run("train", "vae", "--data", "folder", "--data-dir", data, "--network", "mlp:8", "--latents", "1", "--epochs", "1",
            "--out", run), 4,
            "folder", "no pixel exceeds 1 of 255", "saved with values 0 and 1?");
        Assert.That(Directory.Exists(run), Is.False, "nothing half-written");
    }

    private static string Encodings(int points, int factors, Func<int, int, float> mu, Func<int, int, float> logVar)
    {
        string file = Path.Combine(TestFiles.Folder("cli-cases"), "encodings.npz");
        Npz.Write(file, [("mu", Array(mu)), ("logvar", Array(logVar))]);
        return file;

        NpyArray Array(Func<int, int, float> value) =>
            NpyArray.From([points, factors],
                (ReadOnlySpan<float>)[.. Enumerable.Range(0, points * factors).Select(i => value(i / factors, i % factors))]);
    }

    private static string KeysInAnotherOrder()
    {
        string folder = TestFiles.Folder("cli-cases"), file = Path.Combine(folder, "order.npz");
        using var zip = System.IO.Compression.ZipFile.Open(file, System.IO.Compression.ZipArchiveMode.Create);
        foreach (string name in (string[])["mu", "logvar"])
        {
            byte[] header = Encoding.ASCII.GetBytes("{'shape': (4, 1), 'fortran_order': False, 'descr': '<f4'}".PadRight(117) + "\n");
            using var entry = zip.CreateEntry(name + ".npy").Open();
            entry.Write([0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. header, .. new byte[16]]);
        }
        return file;
    }

    /// <summary>The tests' data set with its images compressed, the last eight bytes of each missing.</summary>
    private static string WithoutTrailers(string work)
    {
        string data = Path.Combine(work, "data"), mnist = Path.Combine(data, "mnist");
        Directory.CreateDirectory(mnist);
        foreach (string source in Directory.GetFiles(Path.Combine(Tool.DataDir, "mnist")))
            if (source.Contains("images", StringComparison.Ordinal))
                File.WriteAllBytes(Path.Combine(mnist, Path.GetFileName(source) + ".gz"),
                    IdxTests.Compress(File.ReadAllBytes(source))[..^8]);
            else
                File.Copy(source, Path.Combine(mnist, Path.GetFileName(source)));
        return data;
    }

    /// <summary>Weights of a network with batch norm as PyTorch saves them, with a counter beside each running variance.</summary>
    private static string WithCounters(string work)
    {
        string run = Path.Combine(work, "run"), plain = Path.Combine(run, "model.safetensors"),
            file = Path.Combine(work, "counters.safetensors");
        Tool.Run("train", "vae", "--limit", "100", "--epochs", "1", "--network", "mlp:2", "--latents", "1", "--set", "batch_norm=all",
            "--report", "false", "--out", run).Succeeded();
        byte[] bytes = File.ReadAllBytes(plain);
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes), data = bytes.Length - 8 - header;
        string json = Encoding.UTF8.GetString(bytes, 8, header).Trim(), counters = "";
        int count = 0;
        foreach (string layer in (string[])["encoder.bn1", "decoder.bn1"])
            counters += string.Create(CultureInfo.InvariantCulture,
                $",\"{layer}.num_batches_tracked\":{{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[{data + 8 * count},{data + 8 * ++count}]}}");
        byte[] text = Encoding.UTF8.GetBytes(json[..^1] + counters + "}");
        File.WriteAllBytes(file, [.. BitConverter.GetBytes((long)text.Length), .. text, .. bytes.AsSpan(8 + header),
            .. new byte[8 * count]]);
        return file;
    }
}
