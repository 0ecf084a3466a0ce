using System.Buffers.Binary;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Eeg;

/// <summary>
/// Reads a pickled dictionary of NumPy arrays, the layout of DEAP's .dat files, and nothing else: it knows the opcodes that such a file has
/// and the five
/// names that it refers to, calls nothing, and takes no more memory than a small multiple of the file's size.
/// </summary>
internal sealed partial class PickleReader
{
    private const long LargestFile = 1L << 31;
    private const int MostOpcodes = 100_000;
    private const int LongestName = 200;

    /// <summary>What a file may refer to; everything else that Python could import is refused.</summary>
    private static readonly HashSet<string> KnownNames =
        ["numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct", "numpy ndarray", "numpy dtype", "_codecs encode"];

    private readonly Stream stream;
    private readonly string file;
    private readonly long length;
    private readonly List<object?> stack = [];
    private readonly List<int> marks = [];
    private readonly Dictionary<int, object?> memo = [];
    private long position;
    private long allowance;

    private PickleReader(Stream stream, string file)
    {
        (this.stream, this.file, length) = (stream, file, stream.Length);
        allowance = 3 * length + (1 << 20);
    }

    /// <summary>The arrays of a pickled dictionary, by key, row-major.</summary>
    /// <exception cref="DataException">The file is missing, damaged, or holds anything but a dictionary of arrays of floating-point
    /// numbers.</exception>
    public static IReadOnlyDictionary<string, NpyArray> Read(string path) => DataFile.Read(path, stream => Read(stream, path));

    /// <param name="stream">A stream that knows its length, at its start.</param>
    /// <param name="file">The name used in errors.</param>
    public static IReadOnlyDictionary<string, NpyArray> Read(Stream stream, string file) =>
        DataFile.Guard(file, () => new PickleReader(stream, file).Run());

    private sealed record Name(string Text);

    private sealed class Dictionary
    {
        public Dictionary<string, object?> Items { get; } = [];
    }

    /// <summary>An array or a type that BUILD has not filled yet.</summary>
    private sealed class Array
    {
        public NpyArray? Value { get; set; }
    }

    private sealed class ElementType(string kind)
    {
        public string Kind { get; } = kind;
        public bool IsLittleEndian { get; set; } = true;
    }

    private Dictionary<string, NpyArray> Run()
    {
        if (length > LargestFile)
            throw Wrong($"{length} bytes", $"at most {LargestFile}");
        for (int opcodes = 0; opcodes < MostOpcodes; opcodes++)
        {
            byte opcode = ReadByte();
            if (opcode == (byte)'.')
                return Result();
            Step(opcode);
        }
        throw Wrong($"more than {MostOpcodes} instructions", "a dictionary of arrays");
    }

    private Dictionary<string, NpyArray> Result()
    {
        if (position != length)
            throw DataFile.WrongLength(file, length, position);
        if (stack.Count != 1 || marks.Count != 0 || stack[0] is not Dictionary dictionary)
            throw Wrong("a pickle that is not one dictionary", "a dictionary of arrays");
        var arrays = new Dictionary<string, NpyArray>();
        foreach (var (key, item) in dictionary.Items)
            arrays.Add(key, (item as Array)?.Value ?? throw Wrong($"'{key}' that is not an array", "arrays of numbers"));
        return arrays;
    }

    private void Step(byte opcode)
    {
        switch (opcode)
        {
            case 0x80 when ReadByte() is var version:
                if (version > 3)
                    throw Wrong($"pickle protocol {version}", "0 to 3", "write it with pickle.dump(..., protocol=2)");
                break;
            case (byte)'(':
                marks.Add(stack.Count);
                break;
            case (byte)'}':
                Push(new Dictionary());
                break;
            case (byte)'d':
                var items = PopToMark();
                Push(new Dictionary());
                SetItems(items);
                break;
            case (byte)'s':
                SetItems(Pop(2));
                break;
            case (byte)'u':
                SetItems(PopToMark());
                break;
            case (byte)')':
                Push(System.Array.Empty<object?>());
                break;
            case (byte)'t':
                Push(PopToMark());
                break;
            case 0x85 or 0x86 or 0x87:
                Push(Pop(opcode - 0x84));
                break;
            case (byte)'c':
                Push(ReadName());
                break;
            case (byte)'R':
                Reduce();
                break;
            case (byte)'b':
                Build();
                break;
            case (byte)'q':
                Remember(ReadByte());
                break;
            case (byte)'r':
                Remember(ReadInt32());
                break;
            case (byte)'p':
                Remember(ParseInteger(ReadLine()));
                break;
            case (byte)'h':
                Recall(ReadByte());
                break;
            case (byte)'j':
                Recall(ReadInt32());
                break;
            case (byte)'g':
                Recall(ParseInteger(ReadLine()));
                break;
            default:
                Push(ReadValue(opcode));
                break;
        }
    }

    private object? ReadValue(byte opcode)
    {
        switch (opcode)
        {
            case (byte)'N':
                return null;
            case 0x88:
                return true;
            case 0x89:
                return false;
            case (byte)'K':
                return (long)ReadByte();
            case (byte)'M':
                return (long)BinaryPrimitives.ReadUInt16LittleEndian(ReadBytes(2));
            case (byte)'J':
                return (long)ReadInt32();
            case (byte)'I':
                string text = ReadLine();
                return text is "00" or "01" ? text == "01" : ParseInteger(text);
            case (byte)'L':
                return ParseInteger(ReadLine().TrimEnd('L'));
            case 0x8A:
                return ReadLong();
            case (byte)'U' or (byte)'C':
                return ReadBytes(ReadByte());
            case (byte)'T' or (byte)'B':
                return ReadBytes(ReadInt32());
            case (byte)'X':
                return new Utf8(ReadBytes(ReadInt32()));
            case (byte)'S':
                return Unquote(ReadLineBytes(length));
            case (byte)'V':
                return UnescapeUnicode(ReadLineBytes(length));
            default:
                throw Wrong($"the instruction {(char.IsAsciiLetterOrDigit((char)opcode) ? $"'{(char)opcode}'" : $"0x{opcode:x2}")} at "
                    + $"byte {position - 1}", "those of a dictionary of arrays");
        }
    }

    private void SetItems(object?[] items)
    {
        if (stack.Count == 0 || stack[^1] is not Dictionary dictionary || items.Length % 2 != 0)
            throw Wrong("items without a dictionary", "a dictionary of arrays");
        for (int i = 0; i < items.Length; i += 2)
        {
            string key = TextOf(items[i]) ?? throw Wrong("a key that is not a text", "a dictionary of arrays by name");
            if (!dictionary.Items.TryAdd(key, items[i + 1]))
                throw Wrong($"the key '{key}' twice", "each key once");
        }
    }

    /// <summary>Stands for the calls that NumPy's own pickles make; nothing is called.</summary>
    private void Reduce()
    {
        object?[] pair = Pop(2);
        if (pair is not [Name name, object?[] arguments])
            throw Wrong("a call of something that is not a name", "NumPy's own constructors");
        switch (name.Text)
        {
            case "numpy dtype" when arguments.Length is 1 or 3 && TextOf(arguments[0]) is { } kind:
                Push(new ElementType(kind));
                break;
            case "_codecs encode" when arguments is [Utf8 text, var codec] && TextOf(codec) is "latin1" or "latin-1" or "iso-8859-1":
                Charge(text.Bytes.Length);
                Push(text.ToLatin1() ?? throw Wrong("bytes written as a text outside Latin-1", "values 0 to 255"));
                break;
            case var reconstruct when reconstruct.EndsWith("_reconstruct", StringComparison.Ordinal)
                && arguments is [Name { Text: "numpy ndarray" }, object?[], _]:
                Push(new Array());
                break;
            default:
                throw Wrong($"a call of {name.Text} with unusual arguments", "NumPy's own constructors");
        }
    }

    private void Build()
    {
        object?[] pair = Pop(2);
        Push(pair[0]);
        switch (pair)
        {
            case [ElementType type, object?[] state] when state.Length >= 2 && TextOf(state[1]) is { } order:
                type.IsLittleEndian = order is "<" or "=" or "|";
                break;
            case [Array { Value: null } array, object?[] and [long, object?[] sizes, ElementType type, var fortran, byte[] values]]:
                array.Value = MakeArray(sizes, type, fortran is true or 1L, values);
                break;
            default:
                throw Wrong("a state that belongs to no array", "arrays of numbers");
        }
    }

    private NpyArray MakeArray(object?[] sizes, ElementType type, bool fortran, byte[] values)
    {
        string name = type is { IsLittleEndian: true, Kind: "f8" or "f4" } ? "<" + type.Kind
            : throw Wrong($"values of type {(type.IsLittleEndian ? "" : "big-endian ")}{type.Kind}", "little-endian f8 or f4",
            "convert them with astype('<f8')");
        if (sizes.Length is 0 or > 8 || !System.Array.TrueForAll(sizes, size => size is long and >= 0 and <= int.MaxValue))
            throw Wrong("an array without a valid shape", "1 to 8 sizes");
        int[] shape = System.Array.ConvertAll(sizes, size => (int)(long)size!);
        long count = HostArray.ElementCount(shape);
        if (count < 0 || count * Npy.Width(name) != values.Length)
            throw Wrong($"{values.Length} bytes for shape {HostArray.Describe(shape)} of {name}", count < 0 ? "a shape that fits in memory"
                : $"{count * Npy.Width(name)}");
        if (fortran)
            Charge(values.Length);
        return new(name, shape, fortran ? Npy.ToRowMajor(values, shape, Npy.Width(name)) : values);
    }

    private Name ReadName()
    {
        string text = $"{ReadLine()} {ReadLine()}";
        return KnownNames.Contains(text) ? new(text) : throw Wrong($"a reference to {text}", "NumPy arrays only",
            "do not open this file with Python: unpickling it could run a program");
    }
}
