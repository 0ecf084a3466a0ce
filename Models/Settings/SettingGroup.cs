namespace VaeFromScratch.Models.Settings;

/// <summary>Settings that belong together, with where they stand in a configuration.</summary>
/// <param name="Name">model, noise, network, training, optimiser or data.</param>
/// <param name="Replace">The configuration with another record in this one's place.</param>
internal sealed record SettingGroup(string Name, object Record, Func<object, RunConfiguration> Replace)
{
    public IReadOnlyList<Setting> Settings => Setting.Of(Record.GetType());
}
