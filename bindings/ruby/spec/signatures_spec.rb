# frozen_string_literal: true

# The RBS signatures against the code.
RSpec.describe 'the signatures' do
  before(:context) do
    require 'rbs'
    loader = RBS::EnvironmentLoader.new
    loader.add(path: Pathname(File.expand_path('../sig', __dir__)))
    @signatures = RBS::DefinitionBuilder.new(env: RBS::Environment.from_loader(loader).resolve_type_names)
  rescue LoadError
    skip 'the gem rbs is not here, which comes with Ruby'
  end

  def name_of(constant)
    RBS::TypeName.new(name: constant.name.split('::').last.to_sym,
                      namespace: RBS::Namespace.parse("::#{constant.name.split('::')[0..-2].join('::')}"))
  end

  [Flagstore::Store, Flagstore::Item, Flagstore::UpsertResult, Flagstore::InitReport, Flagstore::TooLarge,
   Flagstore::Report, Flagstore::Finding, Flagstore::Event, Flagstore::Error].each do |constant|
    it "have the public methods of #{constant}, and their parameters" do
      declared = @signatures.build_instance(name_of(constant)).methods
      constant.public_instance_methods(false).each do |name|
        expect(declared.keys).to include(name)
        next if constant < Struct

        keywords = constant.instance_method(name).parameters.filter_map { |kind, key| key if kind.start_with?('key') }
        function = declared.fetch(name).method_types.first.type
        expect(function.required_keywords.keys + function.optional_keywords.keys).to match_array keywords
      end
    end
  end

  it 'have every option of the library' do
    names = option_names
    initializers = @signatures.build_instance(name_of(Flagstore::Store)).methods.fetch(:initialize).method_types
    openers = @signatures.build_singleton(name_of(Flagstore::Store)).methods.fetch(:open).method_types
    doctors = @signatures.build_singleton(name_of(Flagstore::Store)).methods.fetch(:doctor).method_types
    expect([initializers.length, openers.length, doctors.length]).to eq [1, 2, 1]
    (initializers + openers + doctors).map(&:type).each do |function|
      expect(function.required_keywords.keys + function.optional_keywords.keys).to include(*names)
    end
  end

  it 'have the methods of the modules' do
    expect(@signatures.build_singleton(name_of(Flagstore)).methods.keys).to include :library_version
    expect(@signatures.build_singleton(name_of(Flagstore::Store)).methods.keys).to include :open, :new
  end
end
