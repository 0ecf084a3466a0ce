using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using VaeFromScratch.Engine.IO;

namespace VaeFromScratch.Data.Eeg;

// The machine underneath: stack, memo, and reading from the stream within the allowance.
internal sealed partial class PickleReader
{
    /// <summary>A text as it lies in the file; NumPy's bytes come as one when Python 3 writes protocol 2.</summary>
    private sealed record Utf8(byte[] Bytes)
    {
        /// <summary>One byte a character; null when a character is above 255.</summary>
        public byte[]? ToLatin1()
        {
            byte[] result = new byte[Bytes.Length];
            int count = 0;
            for (int i = 0; i < Bytes.Length; i++)
            {
                byte b = Bytes[i];
                if (b >= 0x80)
                {
                    if (b is not (0xC2 or 0xC3) || i + 1 == Bytes.Length || (Bytes[i + 1] & 0xC0) != 0x80)
                        return null;
                    b = (byte)((b << 6) | (Bytes[++i] & 0x3F));
                }
                result[count++] = b;
            }
            return result[..count];
        }
    }

    private void Push(object? value) => stack.Add(value);

    private object?[] Pop(int count)
    {
        int floor = marks.Count > 0 ? marks[^1] : 0;
        if (stack.Count - count < floor)
            throw Wrong("an instruction without its operands", "a complete pickle");
        object?[] values = [.. stack.GetRange(stack.Count - count, count)];
        stack.RemoveRange(stack.Count - count, count);
        return values;
    }

    private object?[] PopToMark()
    {
        if (marks.Count == 0)
            throw Wrong("an instruction without its mark", "a complete pickle");
        object?[] values = Pop(stack.Count - marks[^1]);
        marks.RemoveAt(marks.Count - 1);
        return values;
    }

    private void Remember(long index)
    {
        if (stack.Count == 0 || index is < 0 or > MostOpcodes)
            throw Wrong($"memo entry {index} of nothing", "a complete pickle");
        memo[(int)index] = stack[^1];
    }

    private void Recall(long index) =>
        Push(index is >= 0 and <= MostOpcodes && memo.TryGetValue((int)index, out object? value) ? value
            : throw Wrong($"memo entry {index} before it is set", "a complete pickle"));

    private static string? TextOf(object? value) => value switch
    {
        byte[] { Length: <= LongestName } bytes => Encoding.Latin1.GetString(bytes),
        Utf8 { Bytes.Length: <= LongestName } text => Encoding.UTF8.GetString(text.Bytes),
        _ => null,
    };

    private byte ReadByte()
    {
        int value = stream.ReadByte();
        if (value < 0)
            throw new EndOfStreamException();
        position++;
        return (byte)value;
    }

    private byte[] ReadBytes(int count)
    {
        if (count < 0 || count > length - position)
            throw Wrong($"a text of {count} bytes with {length - position} left in the file", "a complete file");
        Charge(count);
        byte[] bytes = GC.AllocateUninitializedArray<byte>(count);
        stream.ReadExactly(bytes);
        position += count;
        return bytes;
    }

    private int ReadInt32()
    {
        Span<byte> bytes = stackalloc byte[4];
        stream.ReadExactly(bytes);
        position += 4;
        return BinaryPrimitives.ReadInt32LittleEndian(bytes);
    }

    private long ReadLong()
    {
        byte[] bytes = ReadBytes(ReadByte());
        if (bytes.Length > 8)
            throw Wrong($"an integer of {bytes.Length} bytes", "at most 8");
        long value = bytes.Length > 0 && bytes[^1] >= 0x80 ? -1 : 0;
        for (int i = bytes.Length - 1; i >= 0; i--)
            value = (value << 8) | bytes[i];
        return value;
    }

    private string ReadLine() => Encoding.UTF8.GetString(ReadLineBytes(LongestName));

    private byte[] ReadLineBytes(long longest)
    {
        var bytes = new List<byte>();
        for (byte b; (b = ReadByte()) != '\n';)
        {
            if (bytes.Count >= longest)
                throw Wrong($"a line of more than {longest} bytes", "a shorter one");
            bytes.Add(b);
        }
        Charge(bytes.Count);
        return [.. bytes];
    }

    private long ParseInteger(string text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? value
            : throw Wrong($"'{text}' as an integer", "64 bits");

    /// <summary>Undoes Python 2's repr of a string.</summary>
    private byte[] Unquote(byte[] quoted)
    {
        if (quoted.Length < 2 || quoted[0] is not ((byte)'\'' or (byte)'"') || quoted[^1] != quoted[0])
            throw Wrong("a text without its quotes", "a complete pickle");
        byte[] result = new byte[quoted.Length - 2];
        int count = 0;
        for (int i = 1; i < quoted.Length - 1; i++)
        {
            byte b = quoted[i];
            if (b == '\\' && ++i < quoted.Length - 1)
                b = quoted[i] switch
                {
                    (byte)'n' => (byte)'\n',
                    (byte)'r' => (byte)'\r',
                    (byte)'t' => (byte)'\t',
                    (byte)'x' when i + 2 < quoted.Length - 1 => Hexadecimal(quoted[++i], quoted[++i]),
                    (byte)'\\' or (byte)'\'' or (byte)'"' => quoted[i],
                    _ => throw Wrong("an unknown escape in a text", "those of Python's repr"),
                };
            result[count++] = b;
        }
        return result[..count];
    }

    /// <summary>Undoes Python's raw-unicode-escape: one byte a character, or \u and four hexadecimal digits.</summary>
    private Utf8 UnescapeUnicode(byte[] escaped)
    {
        Charge(2L * escaped.Length);
        var text = new List<byte>(escaped.Length);
        Span<byte> utf8 = stackalloc byte[3];
        for (int i = 0; i < escaped.Length; i++)
        {
            int character = escaped[i];
            if (character == '\\' && i + 5 < escaped.Length && escaped[i + 1] == 'u')
            {
                character = (Hexadecimal(escaped[i + 2], escaped[i + 3]) << 8) | Hexadecimal(escaped[i + 4], escaped[i + 5]);
                i += 5;
            }
            if (!Rune.TryCreate(character, out var rune))
                throw Wrong("half a character in a text", "a complete pickle");
            text.AddRange(utf8[..rune.EncodeToUtf8(utf8)]);
        }
        return new([.. text]);
    }

    private byte Hexadecimal(byte high, byte low) =>
        char.IsAsciiHexDigit((char)high) && char.IsAsciiHexDigit((char)low)
            ? (byte)(Convert.ToInt32($"{(char)high}{(char)low}", 16))
            : throw Wrong("an unknown escape in a text", "those of Python's repr");

    /// <summary>Counts memory that instructions ask for, so that a small file cannot ask for the same bytes again and again.</summary>
    private void Charge(long bytes)
    {
        if ((allowance -= bytes) < 0)
            throw Wrong("instructions that copy the same bytes over and over", "each array once");
    }

    private DataException Wrong(string found, string expected, string advice = DataException.Replace) =>
        DataException.In(file, found, expected, advice);
}
