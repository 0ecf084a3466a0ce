using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace VaeFromScratch.Models.Settings;

/// <summary>One setting of a record of settings: what it is called, which values it takes, and how it is read and changed.</summary>
/// <remarks>Everything that the tool says and checks about settings comes from here: options, help, errors, config.json, recipes and `vae
/// list models --json`.</remarks>
internal sealed class Setting
{
    private static readonly ConcurrentDictionary<Type, IReadOnlyList<Setting>> Known = new();

    private readonly PropertyInfo[] path;
    private readonly SettingAttribute about;

    private Setting(PropertyInfo[] path, string prefix)
    {
        this.path = path;
        about = path[^1].GetCustomAttribute<SettingAttribute>()!;
        Key = about.Key ?? prefix + JsonNamingPolicy.SnakeCaseLower.ConvertName(path[^1].Name);
    }

    /// <summary>Its name in config.json and after --set.</summary>
    public string Key { get; }

    /// <summary>Its names on the command line, the shortest first.</summary>
    public IReadOnlyList<string> Options => [.. about.Short is { } brief ? [brief] : (string[])[], "--" + Key.Replace('_', '-')];

    public string Help => about.Help;

    /// <summary>Whether a run may go on with another value.</summary>
    public bool MayChange => about.MayChange;

    public Type Type => path[^1].PropertyType;

    /// <summary>Which values it takes, in words.</summary>
    public string Expected => about.Expected ?? (Type.IsEnum
        ? Alternatives(Enum.GetNames(Type).Select(JsonNamingPolicy.KebabCaseLower.ConvertName))
        : Type == typeof(bool) ? "true or false"
        : (about.Least, about.Above, about.Most, about.Below) switch
        {
            (1, _, double.PositiveInfinity, double.PositiveInfinity) when IsWhole => "a positive whole number",
            (_, 0, double.PositiveInfinity, double.PositiveInfinity) => "a positive number",
            _ => (IsWhole ? "a whole number" : "a number") + Range,
        });

    /// <summary>What can be written: every value where it is a word, else those that <see cref="Expected"/> names.</summary>
    public IReadOnlyList<string> Examples => Type == typeof(bool) ? ["true", "false"]
        : Type.IsEnum ? [.. Enum.GetValues(Type).Cast<object>().Select(ToText)]
        : about.Expected is null || Type.IsPrimitive || Type == typeof(string) ? []
        : [.. about.Expected.Split([' ', ';']).Select(word => word.TrimEnd(',')).Where(CanBe).Distinct()];

    private bool CanBe(string word)
    {
        try
        {
            Parse(word);
            return true;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private string Range => (about.Least, about.Above, about.Most, about.Below) switch
    {
        ( > double.NegativeInfinity, _, < double.PositiveInfinity, _) => $" from {Number(about.Least)} to {Number(about.Most)}",
        ( > double.NegativeInfinity, _, _, < double.PositiveInfinity) => $" from {Number(about.Least)} to below {Number(about.Below)}",
        (_, > double.NegativeInfinity, < double.PositiveInfinity, _) => $" above {Number(about.Above)} and at most {Number(about.Most)}",
        (_, > double.NegativeInfinity, _, < double.PositiveInfinity) => $" between {Number(about.Above)} and {Number(about.Below)}",
        ( > double.NegativeInfinity, _, _, _) => $" of at least {Number(about.Least)}",
        (_, > double.NegativeInfinity, _, _) => $" above {Number(about.Above)}",
        _ => "",
    };

    /// <summary>The settings of a record, in the order of its properties, with those of the records that it holds.</summary>
    /// <exception cref="InvalidOperationException">Two of them have the same key.</exception>
    public static IReadOnlyList<Setting> Of(Type record) => Known.GetOrAdd(record, static record =>
    {
        Setting[] settings = [.. Find(record, [], "")];
        return settings.GroupBy(s => s.Key).FirstOrDefault(g => g.Count() > 1) is { } twice
            ? throw new InvalidOperationException($"{record.Name} has two settings called {twice.Key}")
            : settings;
    });

    public object Get(object record) => path.Aggregate(record, (holder, property) => property.GetValue(holder)!);

    /// <summary>As config.json has it: a number, true or false, or text.</summary>
    public JsonNode ToJson(object record) => Get(record) switch
    {
        bool value => JsonValue.Create(value),
        int value => JsonValue.Create(value),
        ulong value => JsonValue.Create(value),
        double value => JsonValue.Create(value),
        var value => JsonValue.Create(ToText(value)),
    };

    /// <summary>A value as a user writes it on the command line and in config.json.</summary>
    public static string ToText(object value) => value switch
    {
        bool b => b ? "true" : "false",
        Enum e => JsonNamingPolicy.KebabCaseLower.ConvertName(e.ToString()),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    /// <summary>The record with another value of this setting.</summary>
    /// <param name="value">As a user writes it, or as <see cref="ToText"/> gives it.</param>
    /// <param name="option">What the user wrote before it, for errors.</param>
    /// <exception cref="OptionException">The value is none that it takes.</exception>
    public object With(object record, string value, string option)
    {
        object parsed;
        try
        {
            parsed = Parse(value);
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            throw new OptionException($"{Named(option, Key)} {value}: expected {Expected}");
        }
        return Replace(record, 0, parsed);
    }

    /// <param name="option">What the user wrote before it, for errors; by default its own option.</param>
    /// <exception cref="OptionException">A number is out of its range.</exception>
    public void Validate(object record, string? option = null)
    {
        object value = Get(record);
        if (value is double or int or ulong && Convert.ToDouble(value, CultureInfo.InvariantCulture) is var number
            && !(double.IsFinite(number) && number >= about.Least && number > about.Above && number <= about.Most && number < about.Below))
            throw new OptionException($"{(option is null ? Options[0] : Named(option, Key))} {ToText(value)}: expected {Expected}");
    }

    /// <summary>Refuses a setting that nothing reads beside another one's value.</summary>
    /// <param name="valueOf">The value of any setting of the configuration by its key.</param>
    /// <param name="option">What the user wrote before it, for errors.</param>
    /// <exception cref="OptionException">It is one.</exception>
    public void CheckUsed(Func<string, object?> valueOf, string option)
    {
        if (about.OnlyWith.Split('=') is [var other, var values] && ToText(valueOf(other)!) is var has
            && !values.Split('|').Contains(has.Split(':')[0]))
            throw new OptionException($"{Named(option, Key)}: it counts with {other} "
                + $"{values.Replace("|", " or ", StringComparison.Ordinal)} only, and {other} is {has}; leave it out or change {other}");
    }

    /// <summary>What the user wrote, with the key where the option alone does not say which setting it is of.</summary>
    public static string Named(string option, string key) => option is "--set" or "--grid" ? $"{option} {key}" : option;

    private bool IsWhole => Type == typeof(int) || Type == typeof(ulong);

    private object Parse(string value) => Type switch
    {
        { IsEnum: true } => Enum.GetValues(Type).Cast<object>().FirstOrDefault(v => ToText(v) == value) ?? throw new FormatException(),
        _ when Type == typeof(string) => value,
        _ when Type == typeof(bool) => bool.Parse(value),
        _ when Type == typeof(int) => int.Parse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture),
        _ when Type == typeof(ulong) => ulong.Parse(value, NumberStyles.None, CultureInfo.InvariantCulture),
        _ when Type == typeof(double) => double.Parse(value, NumberStyles.Float, CultureInfo.InvariantCulture),
        _ => Parse(Type, value),
    };

    /// <summary>A small language of its own, such as mlp:500,1000.</summary>
    private static object Parse(Type type, string value)
    {
        var parse = type.GetMethod("Parse", [typeof(string), typeof(IFormatProvider)])
            ?? throw new InvalidOperationException($"a setting cannot be a {type.Name}: it is no number, word or IParsable");
        return parse.Invoke(null, BindingFlags.DoNotWrapExceptions, null, [value, CultureInfo.InvariantCulture], null)!;
    }

    private object Replace(object record, int depth, object value)
    {
        object copy = record.GetType().GetMethod("<Clone>$")!.Invoke(record, null)!;
        var property = path[depth];
        property.SetValue(copy, depth == path.Length - 1 ? value : Replace(property.GetValue(record)!, depth + 1, value));
        return copy;
    }

    private static IEnumerable<Setting> Find(Type record, PropertyInfo[] above, string prefix)
    {
        foreach (var property in record.GetProperties(BindingFlags.Public | BindingFlags.Instance))
            if (property.IsDefined(typeof(SettingAttribute)))
                yield return new([.. above, property], prefix);
            else if (property.GetCustomAttribute<SettingGroupAttribute>() is { } group)
                foreach (var setting in Find(property.PropertyType, [.. above, property], prefix + group.Prefix))
                    yield return setting;
    }

    private static string Alternatives(IEnumerable<string> names) => names.ToArray() is var all && all.Length == 1 ? all[0]
        : $"{string.Join(", ", all[..^1])} or {all[^1]}";

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
