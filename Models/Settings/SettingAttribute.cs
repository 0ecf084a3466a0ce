namespace VaeFromScratch.Models.Settings;

/// <summary>
/// Makes a property an option of the tool, a key of config.json and a line of help. The key is the property's name in snake_case, the
/// option the same with dashes.
/// </summary>
/// <param name="help">What it is, in a few words, with its unit.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SettingAttribute(string help) : Attribute
{
    public string Help => help;

    /// <summary>The key where it is not the property's name.</summary>
    public string? Key { get; init; }

    /// <summary>A shorter option, such as --lr.</summary>
    public string? Short { get; init; }

    /// <summary>Whether a run may go on with another value: it says no more than how the next steps are made.</summary>
    public bool MayChange { get; init; }

    /// <summary>The smallest number allowed.</summary>
    public double Least { get; init; } = double.NegativeInfinity;

    /// <summary>Every number allowed is larger than this.</summary>
    public double Above { get; init; } = double.NegativeInfinity;

    /// <summary>The largest number allowed.</summary>
    public double Most { get; init; } = double.PositiveInfinity;

    /// <summary>Every number allowed is smaller than this.</summary>
    public double Below { get; init; } = double.PositiveInfinity;

    /// <summary>
    /// Where the setting counts for something: another key and its values, such as "optimiser=sgd"; empty for everywhere.
    /// </summary>
    public string OnlyWith { get; init; } = "";

    /// <summary>What may be written, in words, where the type and the range do not say it all.</summary>
    public string? Expected { get; init; }
}

/// <summary>Makes the settings of a record that a property holds settings of the record that has the property.</summary>
/// <param name="prefix">Of their keys.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SettingGroupAttribute(string prefix = "") : Attribute
{
    public string Prefix => prefix;
}
