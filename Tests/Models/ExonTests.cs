using NUnit.Framework;
using VaeFromScratch.Data;
using VaeFromScratch.Estimators.Quality;
using VaeFromScratch.Models;
using VaeFromScratch.Models.Evaluation;
using VaeFromScratch.Models.Terms;
using VaeFromScratch.Models.Training;
using VaeFromScratch.Models.Zoo;
using VaeFromScratch.Tests.Engine;

namespace VaeFromScratch.Tests.Models;

/// <summary>Learning from labelled and unlabelled images (paper 4; (G3), (G8)).</summary>
public sealed class ExonTests : OnCpu
{
    [Test]
    public void The_objective_is_the_bound_and_the_labels_cross_entropy()
    {
        const double lambda1 = 3, lambda2 = 0.3, start = 0.1, b = start + lambda2;
        const int images = 4, pixels = 64;
        var data = Small.Halves(images);
        using var model = Create(data, c => c.With(("noise", "learned"), ("noise_start", start), ("lambda1", lambda1),
            ("lambda2", lambda2), ("augment", 0), ("batch_norm", "none")));
        using var tape = Compute.Tape(gradients: false, training: true);
        var x = tape.Constant(new(images, 8, 8, 1), data.ToFloats(0, images));
        model.Rng.BeginStep(1);
        var terms = Evaluate(model.Phases[0].Objective(Small.Batch(model, x, data)));

        // The same images are the unlabelled and the labelled part.
        var both = Ops.Concat(0, x, x);
        model.Rng.BeginStep(1);
        var q = model.Posterior(both);
        float[] decoded = model.Decode(q.RelaxedSample(tape.Full(Shape.Scalar, 1), model.Rng)).ToArray(), input = both.ToArray();
        float[] logits = q.Logits.ToArray(), mu = q.Mu.ToArray(), logVar = q.LogVar.ToArray();
        double nll = 0, kl = 0, ce = 0;
        for (int i = 0; i < 2 * images; i++)
        {
            for (int d = 0; d < pixels; d++)
                nll += (Math.Pow(input[i * pixels + d] - decoded[i * pixels + d], 2) / b + Math.Log(2 * Math.PI * b)) / 2 / (2 * images);
            double sum = Math.Exp(logits[2 * i]) + Math.Exp(logits[2 * i + 1]);
            for (int k = 0; k < 2; k++)
            {
                double w = Math.Exp(logits[2 * i + k]) / sum, ofComponent = Math.Log(w) - Math.Log(0.5);
                for (int h = 0; h < 4; h++)
                {
                    double m = model.Design.Centres[k][h], v = model.Design.Variances[k][h], at = mu[(2 * i + k) * 4 + h],
                        s = Math.Exp(logVar[(2 * i + k) * 4 + h]);
                    ofComponent += 0.5 * (s / v + (at - m) * (at - m) / v - 1 - Math.Log(s / v));
                }
                kl += w * ofComponent / (2 * images);
            }
            if (i >= images)
                ce -= Math.Log(Math.Exp(logits[2 * i + data.Labels![i - images]]) / sum) / images;
        }
        Assert.That(terms["nll"], Is.EqualTo(nll).Within(1e-3));
        Assert.That(terms["kl"], Is.EqualTo(kl).Within(1e-4));
        Assert.That(terms["classification"], Is.EqualTo(ce).Within(1e-5));
        Assert.That(terms["variance_penalty"], Is.EqualTo(lambda2 * pixels / (2 * b)).Within(1e-4));
        Assert.That(terms["loss"], Is.EqualTo(nll + kl + lambda2 * pixels / (2 * b) + (lambda1 + 1) * ce).Within(1e-3));
    }

    [Test]
    public void Mixup_adds_the_cross_entropy_of_mixtures_and_ramps_up_that_of_unlabelled_ones()
    {
        const int images = 6;
        var data = Small.Halves(images);
        using var model = Create(data, Full);
        using var tape = Compute.Tape(gradients: false, training: true);
        var x = tape.Constant(new(images, 8, 8, 1), data.ToFloats(0, images));
        model.BeforeStep(1, images);
        var objective = model.Phases[0].Objective(Small.Batch(model, x, data));
        var terms = objective.Terms.ToDictionary(t => t.Term.Name);
        Assert.That(terms["mixup_labelled"].Weight, Is.EqualTo(3));
        Assert.That((terms["mixup_unlabelled"].Weight, terms["mixup_unlabelled"].Factor!.Item()), Is.EqualTo((3, 1f)), "after the ramp");
        Assert.That(terms["classification"].Weight, Is.EqualTo(4));
        var values = Evaluate(objective);
        Assert.That(values["mixup_labelled"], Is.InRange(0.01, 5));
        Assert.That(values["mixup_unlabelled"], Is.InRange(0.01, 5));
    }

    [Test]
    public void Mixup_takes_images_and_labels_in_the_same_shares_of_the_same_partners()
    {
        const int rows = 500;
        using var even = new Mixup(Compute, rows, alpha: 2, seed: 1, draw: 0);
        using var unlike = new Mixup(Compute, rows, alpha: 0.1, seed: 1, draw: 1);
        using var tape = Compute.Tape(gradients: false);
        // Row i is (i, 2 i): whatever the share and the partner, the second number stays twice the first.
        var x = tape.Constant(new(rows, 2), [.. Enumerable.Range(0, rows).SelectMany(i => (float[])[i, 2 * i])]);
        var ones = tape.Full(new(rows, 1), 1);
        foreach (var mixup in (Mixup[])[even, unlike])
        {
            mixup.Draw(step: 7, rows);
            float[] mixed = mixup.Apply(x).ToArray(), again = mixup.Apply(x).ToArray();
            Assert.That(again, Is.EqualTo(mixed));
            for (int i = 0; i < rows; i++)
                Assert.That(mixed[2 * i + 1], Is.EqualTo(2 * mixed[2 * i]).Within(1e-3));
            Assert.That(mixup.Apply(ones).ToArray(), Has.All.EqualTo(1f).Within(1e-6f));
            Assert.That(Enumerable.Range(0, rows).Average(i => mixed[2 * i]), Is.EqualTo((rows - 1) / 2.0).Within(35),
                "partners are a permutation");
        }
        // Beta(alpha, alpha) has variance 1 / (4 (2 alpha + 1)).
        Assert.That(Variance(Shares(even)), Is.EqualTo(1 / 20.0).Within(0.012));
        Assert.That(Variance(Shares(unlike)), Is.EqualTo(1 / 4.8).Within(0.03));

        // Row 0 against all others at 0 would need its partner; a column per row shows each row's own share instead.
        float[] Shares(Mixup mixup)
        {
            var identity = new float[rows * rows];
            for (int i = 0; i < rows; i++)
                identity[i * rows + i] = 1;
            float[] mixed = mixup.Apply(tape.Constant(new(rows, rows), identity)).ToArray();
            return [.. Enumerable.Range(0, rows).Select(i => mixed[i * rows + i])];
        }
        static double Variance(float[] values) => values.Average(v => Math.Pow(v - values.Average(), 2));
    }

    [Test]
    public void Labelled_images_are_as_many_of_each_class_and_the_same_for_a_seed()
    {
        var (train, _) = DatasetCatalogue.Load("mnist", TestFiles.Datasets);
        int[] chosen = LabelledImages.Choose(train.Labels!, 10, 100, seed: 1);
        Assert.That(chosen, Is.Unique.And.Ordered);
        Assert.That(chosen.GroupBy(i => train.Labels![i]).Select(g => g.Count()), Is.EqualTo(Enumerable.Repeat(10, 10)));
        Assert.That(LabelledImages.Choose(train.Labels!, 10, 100, seed: 1), Is.EqualTo(chosen));
        Assert.That(LabelledImages.Choose(train.Labels!, 10, 100, seed: 2), Is.Not.EqualTo(chosen));
        Assert.That(LabelledImages.Choose(train.Labels!, 10, 23, seed: 1).GroupBy(i => train.Labels![i]).OrderBy(g => g.Key)
            .Select(g => g.Count()), Is.EqualTo(new[] { 3, 3, 3, 2, 2, 2, 2, 2, 2, 2 }));
        Assert.That(LabelledImages.Choose(train.Labels!, 10, 0, seed: 1), Has.Length.EqualTo(60_000));
        Assert.That(() => LabelledImages.Choose(train.Labels!, 10, 60_000, seed: 1),
            Throws.TypeOf<OptionException>().With.Message.Contains("class 0 has 77 training images too few"));
    }

    [Test]
    public void Every_pass_over_the_labelled_images_shows_each_of_them_once()
    {
        var data = Small.Halves(40);
        using var labelled = new LabelledImages(Compute, data, 2, hasDesign: true, (12, 4), Binarise.None, seed: 1);
        using var rng = new Rng(Compute, 1);
        int[] chosen = LabelledImages.Choose(data.Labels!, 2, 12, seed: 1);
        for (int pass = 0; pass < 2; pass++)
        {
            var seen = new List<float[]>();
            for (int step = 0; step < 3; step++)
            {
                labelled.BeginStep(3 * pass + step);
                using var tape = Compute.Tape(gradients: false);
                var (images, labels) = labelled.Batch(rng);
                float[] pixels = images.ToArray(), y = labels.ToArray();
                for (int i = 0; i < 4; i++)
                {
                    seen.Add(pixels[(i * 64)..(i * 64 + 64)]);
                    int image = chosen.Single(c => data.ToFloats(c, 1).SequenceEqual(seen[^1]));
                    Assert.That(y[2 * i + data.Labels![image]], Is.EqualTo(1));
                    Assert.That(y[2 * i] + y[2 * i + 1], Is.EqualTo(1));
                }
            }
            Assert.That(seen.Select(s => string.Join(' ', s)), Is.Unique);
        }
    }

    [Test]
    public void Neither_labels_beyond_those_given_nor_test_labels_reach_the_weights()
    {
        var data = Small.Halves(60);
        int[] chosen = LabelledImages.Choose(data.Labels!, 2, 10, seed: 1);
        var hidden = (byte[])data.Labels!.Clone();
        for (int i = 0; i < hidden.Length; i++)
            if (!chosen.Contains(i))
                hidden[i] = (byte)(1 - hidden[i]);
        // Both sets choose the same images only if the choice looks at no label that it does not take: so the choice is fixed here and the
        // rest permuted.
        var permuted = data with { Labels = hidden };
        var (weights, error) = Train(data.Select(chosen, "train"), Small.Halves(30, split: "test", seed: 8));
        var test = Small.Halves(30, split: "test", seed: 8);
        var (again, opposite) =
            Train(permuted.Select(chosen, "train"), test with { Labels = [.. test.Labels!.Select(l => (byte)(1 - l))] });
        Assert.That(again, Is.EqualTo(weights));
        Assert.That(error + opposite, Is.EqualTo(1).Within(1e-9), "the labels of the test images count when the error is measured");

        var unlabelled = data with { Labels = null };
        Assert.That(() => Train(unlabelled, unlabelled), Throws.TypeOf<OptionException>().With.Message.Contains("no labels"));

        (float[] Weights, double Error) Train(ImageDataset train, ImageDataset test)
        {
            var configuration = Configuration(c => c.With(("epochs", 3), ("labelled_batch", 4)));
            using var training = new TrainingData(Compute, train, Binarise.None, 1);
            using var model = Small.Create(Compute, configuration, train);
            using var trainer = new Trainer(model, training, configuration);
            using var evaluator = new Evaluator(model, test, configuration);
            double error = 0;
            while (!trainer.IsFinished)
            {
                trainer.TrainEpoch();
                error = evaluator.Likelihoods(decodeMeans: false).ClassificationError ?? 0;
            }
            return ([.. model.Parameters.SelectMany(p => p.Value.ToArray())], error);
        }
    }

    [Test]
    public void Overfits_one_batch([Values(false, true)] bool full)
    {
        var data = Small.Halves(20);
        var configuration = Configuration(c => (full ? Full(c) : c)
            .With(("epochs", 150), ("noise", "fixed:0.05"), ("learning_rate", 5e-3), ("augment", 0)));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        var first = trainer.TrainEpoch()!.Terms.ToDictionary(t => t.Name, t => t.Value);
        var last = first;
        while (!trainer.IsFinished)
            last = trainer.TrainEpoch()!.Terms.ToDictionary(t => t.Name, t => t.Value);
        Assert.That(last["loss"], Is.LessThan(0.5 * first["loss"]));
        Assert.That(last["classification"], Is.LessThan(0.05));
        Assert.That(EvaluationResult.Compute(model, data, configuration).Likelihoods.ClassificationError, Is.Zero);
    }

    [Test]
    public void The_classifier_is_trained_beforehand_and_nothing_else_is()
    {
        var data = Small.Halves(40);
        var configuration = Configuration(c => c.With(("classifier", "conv:8"), ("pretraining_epochs", 40),
            ("pretraining_learning_rate", 1e-2), ("learning_rate", 1e-30), ("epochs", 1), ("augment", 0), ("batch_norm", "none")));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        var before = Rest();
        using var trainer = new Trainer(model, training, configuration);
        var terms = trainer.TrainEpoch()!.Terms.ToDictionary(t => t.Name, t => t.Value);
        Assert.That(terms["classification"], Is.LessThan(0.1));
        Assert.That(Rest(), Is.EqualTo(before));

        float[] Rest() =>
            [.. model.Parameters.Where(p => !p.Name.StartsWith("classifier") && p.Trainable).SelectMany(p => p.Value.ToArray())];
    }

    [Test]
    public void A_resumed_run_continues_bit_for_bit()
    {
        var data = Small.Halves(45);
        var configuration = Configuration(c => Full(c).With(("epochs", 2), ("pretraining_epochs", 2)));
        using var training = new TrainingData(Compute, data, Binarise.None, 1);
        using var model = Small.Create(Compute, configuration, data);
        using var trainer = new Trainer(model, training, configuration);
        trainer.TrainEpoch();
        var state = trainer.Save();
        trainer.TrainEpoch();
        using var continued = Small.Create(Compute, configuration, data);
        using var rest = new Trainer(continued, training, configuration);
        rest.Restore(state);
        rest.TrainEpoch();
        Assert.That(Weights(continued), Is.EqualTo(Weights(model)));

        static float[] Weights(VaeModel model) => [.. model.Parameters.SelectMany(p => p.Value.ToArray())];
    }

    [Test]
    public void The_networks_of_CIFAR_take_and_give_images_of_their_size()
    {
        var configuration = ModelCatalogue.Defaults("exon", "cifar10", "paper");
        Assert.That((configuration.Network.Latents, configuration.Noise.Noise.Name, configuration.Value("pretraining_epochs")),
            Is.EqualTo((300, "weighted", (object)15)));
        using var model = (Exon)configuration.CreateModel(Compute, new(32, 32, 3), 0.1);
        using var tape = Compute.Tape(gradients: false);
        var x = tape.Full(new(2, 32, 32, 3), 0.5f);
        var q = model.Posterior(x);
        Assert.That(q.Logits.Shape, Is.EqualTo(new Shape(2, 10)));
        Assert.That(q.Mu.Shape, Is.EqualTo(new Shape(2, 3000)));
        float[] image = model.DecodeMean(q.MostProbable().Mu).ToArray();
        Assert.That(image, Has.Length.EqualTo(2 * 32 * 32 * 3));
        Assert.That(image, Has.All.InRange(0f, 1f), "a sigmoid ends the decoder");
    }

    [Test]
    public void Recipes_are_found_by_data_and_name()
    {
        Assert.That(ModelCatalogue.Defaults("exon", null, null).Recipe, Is.EqualTo("tuned"));
        Assert.That(ModelCatalogue.Defaults("exon", null, "full").Value("labels"), Is.EqualTo(100));
        Assert.That(ModelCatalogue.Defaults("exon", "cifar10", null).Network.Network.Name, Is.EqualTo("exon"));
        Assert.That(ModelCatalogue.Defaults("exon", "fashion-mnist", "full").Data.Name, Is.EqualTo("fashion-mnist"));
        Assert.That(() => ModelCatalogue.Defaults("exon", null, "best"),
            Throws.TypeOf<OptionException>().With.Message.Contains("tuned, paper, full"));
        Assert.That(() => ModelCatalogue.Defaults("vae", null, "paper"),
            Throws.TypeOf<OptionException>().With.Message.Contains("no recipes"));
        foreach (var recipe in ModelCatalogue.Find("exon").Recipes)
            Assert.That(() => ModelCatalogue.Defaults("exon", recipe.Data, recipe.Name).Validate(), Throws.Nothing);
    }

    /// <summary>(G9): negative SSIM (G7) of D(mu_k(x_i)) over images of one class.</summary>
    [Test]
    public void Diversity_of_a_class_is_of_the_decoded_means_of_its_own_component()
    {
        const int k = 1, size = 12;
        var data = Small.Halves(20, size);
        using var model = Create(data, c => c);
        using var tape = Compute.Tape(gradients: false);
        var images = new List<float>();
        int[] rows = [.. Enumerable.Range(0, data.Count).Where(i => data.Labels![i] == k).Take(4)];
        foreach (int row in rows)
        {
            var mu = model.Posterior(tape.Constant(new(1, size, size, 1), data.ToFloats(row, 1))).Mu;
            images.AddRange(model.DecodeMean(mu.Slice(1, k * model.Latents, model.Latents)).ToArray());
        }
        var ssim = new Ssim(size, size, 1, range: 1);
        float[] all = [.. images];
        double mean = (from i in Enumerable.Range(0, 4)
                       from j in Enumerable.Range(0, 4)
                       select ssim.Compare(all.AsSpan(i * size * size, size * size), all.AsSpan(j * size * size, size * size))).Average();
        Assert.That(DesignedLatents.DiversityOfClass(model, data, k, most: 4)!.Negative, Is.EqualTo(0.5 * (1 - mean)).Within(1e-6));
        Assert.That(DesignedLatents.DiversityOfClass(model, data with { Labels = null }, k, 4), Is.Null);
    }

    [TestCase("mixup", "true", "--classifier conv")]
    [TestCase("classifier", "dense", "expected shared, conv, pool")]
    [TestCase("noise", "bernoulli", "set lambda2 to 0")]
    [TestCase("labels", "-1", "labels -1")]
    public void Options_that_do_not_fit_are_refused(string key, string value, string message) =>
        Assert.That(() => ModelCatalogue.Defaults("exon", null, null).With(key, value).Validate(),
            Throws.TypeOf<OptionException>().With.Message.Contains(message));

    private static RunConfiguration Configuration(Func<RunConfiguration, RunConfiguration> change) => change(Small.Configuration("exon"));

    private static RunConfiguration Full(RunConfiguration c) => c.With(("mixup", true), ("classifier", "conv:8"), ("batch_norm", "none"));

    private Exon Create(ImageDataset data, Func<RunConfiguration, RunConfiguration> change) =>
        (Exon)Small.Create(Compute, Configuration(change), data);

    private static Dictionary<string, double> Evaluate(Objective objective)
    {
        var terms = objective.Terms.ToDictionary(t => t.Term.Name, t => (double)t.Term.Value.ToArray().Average());
        terms["loss"] = objective.Terms.Sum(t => t.Weight * (t.Factor?.Item() ?? 1) * t.Term.Value.ToArray().Average());
        return terms;
    }
}
