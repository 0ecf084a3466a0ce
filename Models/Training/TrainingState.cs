namespace VaeFromScratch.Models.Training;

/// <summary>What <see cref="Trainer.Save"/> gives: arrays exactly as they are in device memory, and the place in the epoch.</summary>
internal sealed record TrainingState(int Epoch, int StepInEpoch, double Seconds, double SecondsAtEpochStart, double[] EpochSums,
    float[] DeviceSums, string[] TermNames, (string Name, float[] Values)[] Arrays);
